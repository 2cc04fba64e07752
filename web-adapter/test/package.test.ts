import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";

const here = (path: string) => join(import.meta.dirname, "..", path);

/** What a page with these imports has to load, in bytes: bundled, minified, gzipped, React and assistant-ui apart. */
async function weigh(page: string): Promise<number> {
  const bundle = await rolldown({
    input: "page",
    external: [/^react/, /^@assistant-ui/],
    plugins: [
      {
        name: "page",
        resolveId: (id) =>
          id === "page"
            ? id
            : id === "crew-web-adapter"
              ? here("src/index.ts")
              : /^crew-web-adapter\/(react|components)$/.test(id)
                ? here(`src/${id.split("/")[1]}/index.ts`)
                : null,
        load: (id) => (id === "page" ? page : null),
      },
    ],
  });
  const { output } = await bundle.generate({ minify: true, format: "esm" });
  expect(output).toHaveLength(1);
  return gzipSync(output[0].code, { level: 9 }).length;
}

test.each([
  ["the client with both transports", 4_480, 'export { createCrewClient } from "crew-web-adapter"'],
  ["the client and a run's views", 7_488, 'export { createCrewClient, snapshots } from "crew-web-adapter"'],
  [
    "the five lines of the README, with the conversation that survives a reload and what becomes of a second message",
    13_568,
    'export { createCrewClient } from "crew-web-adapter"; export { useCrewRuntime } from "crew-web-adapter/react"',
  ],
  ["the components alone", 3_072, 'export * from "crew-web-adapter/components"'],
  [
    "all there is but the components",
    17_216,
    'export * from "crew-web-adapter"; export * from "crew-web-adapter/react"',
  ],
])("%s: no more than %i bytes", async (_, most, page) => {
  expect(await weigh(page)).toBeLessThanOrEqual(most);
});

test("there is no runtime dependency, and the peers are optional", () => {
  const manifest = JSON.parse(readFileSync(here("package.json"), "utf8"));
  expect(manifest.dependencies).toBeUndefined();
  for (const peer of Object.keys(manifest.peerDependencies))
    expect(manifest.peerDependenciesMeta[peer]).toEqual({ optional: true });
});

test("the lockfile names no download addresses", () => {
  const lock = JSON.parse(readFileSync(here("package-lock.json"), "utf8")) as {
    packages: Record<string, { resolved?: string }>;
  };
  const resolved = Object.values(lock.packages).flatMap((entry) => entry.resolved ?? []);
  expect(resolved.filter((address) => address.includes("://"))).toEqual([]);
});
