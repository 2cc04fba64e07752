// Server-sent events with Node's own http: one Buffer for all, write() to each response.

import { createServer } from "node:http";

import { Peer } from "./pace.mjs";

const responses = [];
const peer = new Peer((number, json) => {
  const block = Buffer.from(`id: epoch6-${number}\ndata: ${json}\n\n`);
  for (const response of responses) response.write(block);
});
const server = createServer((_, response) => {
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-cache" });
  response.write(": hello\n\n");
  responses.push(response);
  peer.joined();
});
server.listen({ host: "127.0.0.1", port: 0, backlog: 1024 }, () =>
  console.log(server.address().port),
);
