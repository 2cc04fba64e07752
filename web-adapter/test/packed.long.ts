import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import ts from "typescript";
import { afterAll, beforeAll, expect, test } from "vitest";
import { troubledSidecar } from "./troubledSidecar.ts";

const HERE = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "crew-packed-"));
const unpacked = join(folder, "package");
let tarball: Uint8Array<ArrayBuffer>;

/** What somebody installs: `npm pack` builds it, and nothing here is read from the checkout. */
beforeAll(() => {
  execFileSync("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: HERE, stdio: "pipe" });
  const file = readdirSync(folder).find((name) => name.endsWith(".tgz"))!;
  tarball = new Uint8Array(readFileSync(join(folder, file)));
  execFileSync("tar", ["-xzf", file], { cwd: folder });
  // Where its types find React and assistant-ui.
  symlinkSync(join(HERE, "node_modules"), join(folder, "node_modules"));
}, 60_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const files = () =>
  readdirSync(unpacked, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? relative(unpacked, join(entry.parentPath, entry.name)) : [],
  );

test("publint has nothing to say", async () => {
  const { messages, pkg } = await publint({ pack: { tarball: tarball.buffer }, strict: true });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test("the types are right wherever ESM is imported", async () => {
  const result = await checkPackage(createPackageFromTarballData(tarball));
  // Who has no ESM is not served: the package is ESM alone.
  const unserved: unknown[] = ["node10", "node16-cjs"];
  const problems = result.types
    ? result.problems.filter((problem) => !("resolutionKind" in problem && unserved.includes(problem.resolutionKind)))
    : ["no types"];
  expect(problems).toEqual([]);
});

test("it holds the build, the doctor, the licence, and nothing else", () => {
  const names = files();
  for (const name of [
    "LICENSE",
    "README.md",
    "package.json",
    "dist/index.js",
    "dist/index.d.ts",
    "dist/react/index.js",
    "dist/react/index.d.ts",
    "dist/components/index.js",
    "dist/components/index.d.ts",
    "doctor/main.js",
  ])
    expect(names).toContain(name);
  expect(
    names.filter((name) => !/^(LICENSE|README\.md|package\.json|dist\/.*\.(js|d\.ts)|doctor\/\w+\.js)$/.test(name)),
  ).toEqual([]);
});

test("the doctor starts from where it was unpacked", () => {
  const { bin } = JSON.parse(readFileSync(join(unpacked, "package.json"), "utf8")) as { bin: Record<string, string> };
  const help = execFileSync(process.execPath, [join(unpacked, bin["crew-web-adapter"]!), "--help"], {
    encoding: "utf8",
  });
  expect(help).toMatch(/^Usage: crew-web-adapter doctor/);
});

test("the doctor does its work on the oldest Node that `engines` promises", async () => {
  const { bin, engines } = JSON.parse(readFileSync(join(unpacked, "package.json"), "utf8")) as {
    bin: Record<string, string>;
    engines: { node: string };
  };
  const oldest = `${engines.node.replace(">=", "")}.0.0`.split(".").slice(0, 3).join(".");
  execFileSync("npm", ["install", "--silent", "--no-save", "--prefix", join(folder, "oldest"), `node@${oldest}`]);
  const node = join(folder, "oldest/node_modules/.bin/node");
  expect(execFileSync(node, ["--version"], { encoding: "utf8" }).trim()).toBe(`v${oldest}`);
  const { url, close } = await troubledSidecar();
  const doctor = [join(unpacked, bin["crew-web-adapter"]!), "doctor", url, "http://localhost:3000"];
  const { stdout } = await promisify(execFile)(node, doctor);
  await close();
  expect(stdout).toContain("Nothing is wrong.");
}, 120_000);

test("what needs no page is there for a Server Component and a route handler, where there is no React", async () => {
  const app = mkdtempSync(join(tmpdir(), "crew-server-"));
  mkdirSync(join(app, "node_modules"));
  cpSync(unpacked, join(app, "node_modules/crew-web-adapter"), { recursive: true });
  const snapshot = { run: "r_1", crew: "default", state: "completed", output: "Done.", tasks: [], inputs: {} };
  const sidecar = createServer((_, response) => response.end(JSON.stringify(snapshot))).listen(0);
  await once(sidecar, "listening");
  writeFileSync(join(app, "route.mjs"), ROUTE);
  try {
    const { stdout } = await promisify(execFile)(
      process.execPath,
      // As Next resolves packages there.
      ["--conditions=react-server", "route.mjs", `http://127.0.0.1:${(sidecar.address() as AddressInfo).port}`],
      { cwd: app },
    );
    expect(JSON.parse(stdout)).toEqual({ name: "crew", text: "Done.", status: "complete", ended: true });
  } finally {
    sidecar.close();
    rmSync(app, { recursive: true });
  }
});

const ROUTE = `
import { CREW_PART, createCrewClient, emptyRun, isFinal, reduce, snapshots, textOf, toResult, viewOf } from "crew-web-adapter";
const view = viewOf(await createCrewClient({ url: process.argv[2] }).get("r_1"));
const { content, status } = toResult(view);
if (reduce(emptyRun, { type: "stream.live", run: "r_1", seq: 0 }) !== emptyRun || !snapshots) throw new Error("not whole");
console.log(JSON.stringify({
  name: content.find(({ type }) => type === "data").name === CREW_PART && CREW_PART,
  text: textOf(view),
  status: status.type,
  ended: isFinal(view.state),
}));
`;

test("the public types are complete and never `any`", () => {
  const names = files().filter((name) => name.endsWith(".d.ts"));
  const program = ts.createProgram(
    names.map((name) => join(unpacked, name)),
    {
      strict: true,
      noEmit: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
      lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
      types: [],
    },
  );
  const checker = program.getTypeChecker();
  const found: string[] = [];
  for (const name of names) {
    const source = program.getSourceFile(join(unpacked, name))!;
    // A name that does not resolve would be `any` without the word; so would a declaration without a type.
    for (const { messageText } of [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ])
      found.push(`${name}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`);
    const visit = (node: ts.Node): void => {
      const declares =
        ts.isVariableDeclaration(node) ||
        ts.isParameter(node) ||
        ts.isPropertySignature(node) ||
        ts.isTypeAliasDeclaration(node);
      if (
        node.kind === ts.SyntaxKind.AnyKeyword ||
        (declares && checker.getTypeAtLocation(node).flags & ts.TypeFlags.Any)
      ) {
        const { line } = source.getLineAndCharacterOfPosition(node.getStart());
        found.push(`${name}:${line + 1}: ${node.parent.getText().slice(0, 80)}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
  }
  expect(names).not.toEqual([]);
  expect(found).toEqual([]);
});
