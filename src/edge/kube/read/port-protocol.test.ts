import assert from "node:assert/strict";
import { test } from "node:test";
import { protocolOf } from "./port-protocol.ts";

test("is what appProtocol says, then the first word of the port's name, as Istio finds it out", () => {
  const table: readonly (readonly [string, string, string])[] = [
    ["", "", "AUTO"],
    ["web", "", "AUTO"],
    ["http", "", "HTTP"],
    ["HTTP-web", "", "HTTP"],
    ["http2-web", "", "HTTP2"],
    ["https", "", "HTTPS"],
    ["httpx", "", "AUTO"],
    ["grpc", "", "GRPC"],
    ["grpc-web", "", "GRPC"],
    ["grpc-web-x", "", "GRPC"],
    ["grpc-x", "", "GRPC"],
    ["tcp-db", "", "TCP"],
    ["mysql", "", "TCP"],
    ["tls-x", "", "TLS"],
    ["tcp-db", "http", "HTTP"],
    ["tcp-db", "kubernetes.io/h2c", "HTTP2"],
    ["tcp-db", "kubernetes.io/ws", "HTTP"],
    ["tcp-db", "kubernetes.io/wss", "HTTPS"],
    ["tcp-db", "example.com/own", "TCP"],
  ];
  for (const [name, appProtocol, expected] of table) {
    assert.equal(protocolOf(name, appProtocol), expected, `${name} ${appProtocol}`);
  }
});
