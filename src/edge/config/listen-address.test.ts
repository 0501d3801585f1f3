import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { formatListenAddress, isLoopback, parseListenAddress } from "./listen-address.ts";

for (const [text, host, port] of [
  ["127.0.0.1:15012", "127.0.0.1", 15_012],
  ["0.0.0.0:0", "0.0.0.0", 0],
  ["[::]:65535", "::", 65_535],
  ["[fe80::1%eth0]:1", "fe80::1%eth0", 1],
  ["localhost:80", "localhost", 80],
  ["CA.example.com:443", "CA.example.com", 443],
  ["1password:1", "1password", 1],
] as const) {
  test(`reads ${text}, and writes it the same`, () => {
    const address = parseListenAddress(text);
    assert.deepEqual(address, { host, port });
    assert.equal(formatListenAddress({ host, port }), text);
  });
}

for (const text of [
  "",
  ":15012",
  "localhost",
  "localhost:",
  "localhost:-1",
  "localhost:65536",
  "localhost:08",
  "localhost:1e3",
  "localhost: 80",
  "localhost:80\n",
  "::1:80",
  "[::1]",
  "[::1]80",
  "[localhost]:80",
  "[127.0.0.1]:80",
  "256.0.0.1:80",
  "1.2.3:80",
  "-a:80",
  "a-:80",
  "a..b:80",
  "a_b:80",
  "unix:/x:80",
  `${"a".repeat(64)}:80`,
]) {
  test(`refuses ${JSON.stringify(text)}`, () => {
    assert.equal(parseListenAddress(text), undefined);
  });
}

test("writes every address so that it reads back", () => {
  const port = fc.integer({ min: 0, max: 65_535 });
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain());
  fc.assert(
    fc.property(host, port, (host, port) => {
      const address = { host, port };
      assert.deepEqual(parseListenAddress(formatListenAddress(address)), address);
    }),
  );
});

test("knows loopback addresses by their value, not their spelling", () => {
  const verdicts = new Map([
    ["127.0.0.1", true],
    ["127.255.255.254", true],
    ["::1", true],
    ["0:0:0:0:0:0:0:1", true],
    ["localhost", true],
    ["LOCALHOST", true],
    ["0.0.0.0", false],
    ["::", false],
    ["128.0.0.1", false],
    ["localhost.example.com", false],
    ["127.0.0.1.example.com", false],
  ]);
  for (const [host, want] of verdicts) assert.equal(isLoopback({ host, port: 1 }), want, host);
});
