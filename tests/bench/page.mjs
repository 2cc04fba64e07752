// Serves the page of web-adapter/test/bench, bundled as for production, and beside it a route that
// spawns `python -m crew.run` for each request, as the chat had before the sidecar.
//
// `node page.mjs PYTHON`; the first line on stdout is its address.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { crew } from "../support/next_route.mjs";

const web = join(import.meta.dirname, "..", "..", "web-adapter");
const { rolldown } = createRequire(join(web, "package.json"))("rolldown");

const bundle = await rolldown({
  input: join(web, "test", "bench", "page.tsx"),
  platform: "browser",
  transform: { define: { "process.env.NODE_ENV": '"production"' } },
});
const { output } = await bundle.generate({ format: "esm", minify: true, codeSplitting: false });

const page = '<!doctype html><meta charset="utf-8"><title>Bench</title><body><script type="module" src="/page.js"></script>';
const server = createServer(async (request, response) => {
  if (request.url === "/api/crew") {
    const { answer } = await crew(JSON.parse(await text(request)));
    response.setHeader("content-type", "application/json").end(JSON.stringify(answer));
  } else if (request.url === "/page.js") response.setHeader("content-type", "text/javascript").end(output[0].code);
  else response.setHeader("content-type", "text/html").end(page);
});
server.listen(Number(process.argv[3]), "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
