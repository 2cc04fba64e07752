import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import type { NextConfig } from "next";

/** Where the sidecar is, as this server sees it. */
const sidecar = process.env.CREW_URL || process.env.NEXT_PUBLIC_CREW_URL || "http://127.0.0.1:8770";

/**
 * The switch. Off: the browser talks to the sidecar directly. On: to this server, which passes
 * `/crew/…` on, for pages that are opened under another name than this machine's own. Either way
 * the page's origin has to be in SIDECAR_ORIGINS. Both settings are fixed by `next build`.
 */
const rewritten = process.env.CREW_REWRITES === "1";

/** The pages as files, which the sidecar serves itself, on its own port: `make page`. */
const exported = process.env.CREW_EXPORT === "1";

const config: NextConfig = {
  env: { NEXT_PUBLIC_CREW_URL: exported ? "" : rewritten ? "/crew" : sidecar },
  ...(exported
    ? // Its types are what `npm run check` and every other build look at.
      { output: "export", typescript: { ignoreBuildErrors: true } }
    : { rewrites: async () => (rewritten ? [{ source: "/crew/:path*", destination: `${sidecar}/:path*` }] : []) }),
  // `/run/` is a file `run/index.html` where the pages are served without Node.
  trailingSlash: true,
  // Else Next would send `/crew/control` away to `/crew/control/`, which the sidecar does not have.
  skipTrailingSlashRedirect: rewritten,
  // The adapter's source is one folder up (see `paths` in tsconfig.json): no build between an edit and the page.
  turbopack: { root: dirname(dirname(fileURLToPath(import.meta.url))) },
  allowedDevOrigins: ["localhost", "127.0.0.1"],
  devIndicators: false,
  // Tests run beside a developer's own `next dev`, which locks its folder.
  ...(process.env.NEXT_DIST_DIR && { distDir: process.env.NEXT_DIST_DIR }),
};

export default config;
