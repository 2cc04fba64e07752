import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import { SkipLink } from "../components/SkipLink";
// In this order: what comes later overrides.
import "./globals.css";
import "./task.css";
import "./said.css";
import "./prose.css";
import "./composer.css";
import "./keys.css";
import "./start.css";
import "./side.css";
import "./message.css";
import "./narrow.css";
import "./runs.css";
import "./run.css";
import "./timeline.css";
import "./print.css";

export const metadata: Metadata = {
  title: "Crew",
  description: "Give a crew of agents a brief and watch them work.",
};

export const viewport: Viewport = {
  colorScheme: "light dark",
  themeColor: [
    { media: "(prefers-color-scheme: light)", color: "#fdfdfc" },
    { media: "(prefers-color-scheme: dark)", color: "#171716" },
  ],
};

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <SkipLink />
        {children}
      </body>
    </html>
  );
}
