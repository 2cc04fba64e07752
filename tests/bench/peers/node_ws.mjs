// Node's `ws`: one Buffer for all, send() to each client, uncompressed (its default).

import { WebSocketServer } from "ws";

import { Peer } from "./pace.mjs";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, backlog: 1024 });
const peer = new Peer((_, json) => {
  const data = Buffer.from(json);
  for (const client of server.clients) client.send(data, { binary: false });
});
server.on("connection", () => peer.joined());
server.on("listening", () => console.log(server.address().port));
