import type { ReactNode } from "react";
import { ChatRuntimeProvider } from "../components/ChatRuntimeProvider";

export const metadata = { title: "Chat" };

export default function Layout({ children }: { children: ReactNode }) {
  return (
    <html lang="en">
      <body>
        <ChatRuntimeProvider>{children}</ChatRuntimeProvider>
      </body>
    </html>
  );
}
