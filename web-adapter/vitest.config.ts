import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

const here = import.meta.dirname;

/** Another folder with React and assistant-ui installed: the same tests, on the versions that are there. */
const peers = process.env["PEERS"];
const PEERS = ["@assistant-ui/react", "react-dom", "react"];

const ofExample = () =>
  readdirSync(join(here, "test/react"))
    .filter((name) => readFileSync(join(here, "test/react", name), "utf8").includes("/example/"))
    .map((name) => `test/react/${name}`);

/** `npm test` is for every change; what takes a package built and packed is for `npm run test:long`. */
export default defineConfig(({ mode }) => ({
  resolve: {
    alias: [
      // The example's imports, as in its tsconfig.json.
      { find: /^crew-web-adapter\/react$/, replacement: join(here, "src/react/index.ts") },
      { find: /^crew-web-adapter\/components$/, replacement: join(here, "src/components/index.ts") },
      { find: /^crew-web-adapter$/, replacement: join(here, "src/index.ts") },
      ...(peers
        ? PEERS.map((name) => ({ find: new RegExp(`^${name}(?=$|/)`), replacement: join(peers, "node_modules", name) }))
        : []),
    ],
  },
  test: {
    include: [mode === "long" ? "test/**/*.long.ts" : "test/**/*.test.{ts,tsx}"],
    // The example is for its own React and assistant-ui alone.
    exclude: peers ? ofExample() : [],
    testTimeout: 10_000,
    // Those that are concurrent wait for bounds of a second.
    maxConcurrency: 20,
    restoreMocks: true,
  },
}));
