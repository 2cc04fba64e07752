#!/usr/bin/env node
// `npx crew-web-adapter doctor`: why the page does not get its crew.
import { doctor } from "./cli.js";

process.exitCode = await doctor(process.argv.slice(2), {
  env: process.env,
  folder: process.cwd(),
  colourful: process.stdout.isTTY,
  say: console.log,
  complain: console.error,
});
