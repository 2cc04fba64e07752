import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";

const here = (path: string) => join(import.meta.dirname, "..", path);

/** What a page that imports all of `entries` has to load, in bytes: bundled, minified, gzipped. */
async function weigh(...entries: string[]): Promise<number> {
  const bundle = await rolldown({
    input: "all",
    external: [/^react/, /^@assistant-ui/],
    plugins: [
      {
        name: "all",
        resolveId: (id) => (id === "all" ? id : null),
        load: (id) => (id === "all" ? entries.map((entry) => `export * from ${JSON.stringify(here(entry))}`).join("\n") : null),
      },
    ],
  });
  const { output } = await bundle.generate({ minify: true, format: "esm" });
  expect(output).toHaveLength(1);
  return gzipSync(output[0].code, { level: 9 }).length;
}

test("the client with both transports weighs no more than 3 KB", async () => {
  expect(await weigh("src/client.ts")).toBeLessThanOrEqual(3_072);
});

test("the reducer weighs no more than 1.75 KB", async () => {
  expect(await weigh("src/reducer.ts")).toBeLessThanOrEqual(1_792);
});

test("all of it, React adapter and history included, weighs no more than 6 KB", async () => {
  expect(await weigh("src/index.ts", "src/react/index.ts")).toBeLessThanOrEqual(6_144);
});

test("there is no runtime dependency, and the peers are optional", () => {
  const manifest = JSON.parse(readFileSync(here("package.json"), "utf8"));
  expect(manifest.dependencies).toBeUndefined();
  for (const peer of Object.keys(manifest.peerDependencies)) expect(manifest.peerDependenciesMeta[peer]).toEqual({ optional: true });
});

test("the lockfile names no download addresses", () => {
  const lock = JSON.parse(readFileSync(here("package-lock.json"), "utf8")) as { packages: Record<string, { resolved?: string }> };
  const resolved = Object.values(lock.packages).flatMap((entry) => entry.resolved ?? []);
  expect(resolved.filter((address) => address.includes("://"))).toEqual([]);
});
