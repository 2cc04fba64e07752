import { defineConfig } from "tsdown";

export default defineConfig({
  entry: ["src/index.ts", "src/react/index.ts", "src/components/index.ts"],
  platform: "browser",
  target: "es2022",
  dts: true,
  clean: true,
});
