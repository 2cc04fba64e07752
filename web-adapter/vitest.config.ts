import { join } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // The example's imports, as in its tsconfig.json: the first that fits counts.
  resolve: {
    alias: {
      "crew-web-adapter/react": join(import.meta.dirname, "src/react/index.ts"),
      "crew-web-adapter": join(import.meta.dirname, "src/index.ts"),
    },
  },
  test: { include: ["test/**/*.test.{ts,tsx}"], testTimeout: 10_000, restoreMocks: true },
});
