import { expect, test } from "vitest";
import { circle, FLOORS, imports, importsOf, modules, roomOf } from "./rooms.js";

const rank = (path: string) => FLOORS.findIndex((floor) => floor.includes(roomOf(path)));
const told = (found: ReturnType<typeof imports>) =>
  found.map(({ importer, imported }) => `${importer} imports ${imported}`);
const house = (path: string) => path.split("/")[0];

test("every module is in a room that the picture has", () => {
  expect(new Set(modules().map(roomOf))).toEqual(new Set(FLOORS.flat()));
});

test("imports between rooms point down, types included", () => {
  const across = imports().filter(({ importer, imported }) => roomOf(importer) !== roomOf(imported));
  expect(across.length).toBeGreaterThan(50);
  expect(told(across.filter(({ importer, imported }) => rank(imported) >= rank(importer)))).toEqual([]);
});

test("no module leads back to itself", () => {
  expect(circle(imports())).toBeUndefined();
});

test("the example comes to the package by its doors, and the doctor by none", () => {
  const across = imports().filter(({ importer, imported }) => house(importer) !== house(imported));
  expect(new Set(across.map(({ importer }) => house(importer)))).toEqual(new Set(["example"]));
  expect(new Set(across.map(({ imported }) => imported))).toEqual(new Set(["src/index.ts", "src/react/index.ts"]));
});

test.each([
  ['import type { RunView } from "../reducer.ts";', "src/reducer.ts"],
  ['import {\n  toResult,\n} from "../result.ts";', "src/result.ts"],
  ['export * from "./run.ts";', "src/react/run.ts"],
  ['import "./run.ts";', "src/react/run.ts"],
  ['type Late = import("./run.ts").CrewRun;', "src/react/run.ts"],
  ['import { isFinal } from "crew-web-adapter";', "src/index.ts"],
])("%s is an import", (text, imported) => {
  expect(importsOf("src/react/hooks.ts", text)).toEqual([{ importer: "src/react/hooks.ts", imported }]);
});

test("a circle is found and told from its first module to its last", () => {
  const arrows = ["ab", "bc", "cd", "db"].map(([importer = "", imported = ""]) => ({ importer, imported }));
  expect(circle(arrows)).toEqual(["b", "c", "d", "b"]);
  expect(circle(arrows.slice(0, 3))).toBeUndefined();
});
