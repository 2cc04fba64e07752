import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { NextConfig } from "next";

const config: NextConfig = {
  // The adapter's source is one folder up (see `paths` in tsconfig.json): no build between an edit and the page.
  turbopack: { root: dirname(dirname(fileURLToPath(import.meta.url))) },
  allowedDevOrigins: ["localhost", "127.0.0.1"],
  devIndicators: false,
  // Tests run beside a developer's own `next dev`, which locks its folder.
  ...(process.env.NEXT_DIST_DIR && { distDir: process.env.NEXT_DIST_DIR }),
};

export default config;
