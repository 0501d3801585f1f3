import assert from "node:assert/strict";
import { test } from "node:test";
import { SpiffeIdError } from "../spiffe/id.ts";
import { ListenError, parseInbound, parseOutbound } from "./listen.ts";

const inbound = [
  ["127.0.0.1:8443=127.0.0.1:80", ["ipv4", "127.0.0.1", 8443], ["ipv4", "127.0.0.1", 80]],
  ["0.0.0.0:1=localhost:65535", ["ipv4", "0.0.0.0", 1], ["name", "localhost", 65_535]],
  ["[::]:8443=[fd00::1]:80", ["ipv6", "::", 8443], ["ipv6", "fd00::1", 80]],
  [
    "[::ffff:192.0.2.1]:1=a_b.c-d.test:2",
    ["ipv6", "::ffff:192.0.2.1", 1],
    ["name", "a_b.c-d.test", 2],
  ],
] as const;

for (const [text, listen, app] of inbound) {
  test(`reads --inbound ${text}`, () => {
    const parsed = parseInbound(text);
    const values = [parsed.listen, parsed.app].map(({ kind, host, port }) => [kind, host, port]);
    assert.deepEqual(values, [listen, app]);
  });
}

test("reads --outbound with the identity of the server", () => {
  const { server, serverId } = parseOutbound(
    "127.0.0.1:9001=server.shop.svc:8443@spiffe://td.test/ns/shop/sa/server",
  );
  assert.deepEqual(server, { kind: "name", host: "server.shop.svc", port: 8443 });
  assert.equal(serverId.toString(), "spiffe://td.test/ns/shop/sa/server");
});

const refused = [
  ["", "listener-malformed"],
  ["127.0.0.1:1", "listener-malformed"],
  ["127.0.0.1:1=", "listener-malformed"],
  ["127.0.0.1:1=a:1=b:1", "listener-malformed"],
  ["localhost:1=a:1", "listen-host-not-an-ip"],
  ["127.0.0.1=a:1", "address-invalid"],
  ["127.0.0.1:0=a:1", "address-invalid"],
  ["127.0.0.1:65536=a:1", "address-invalid"],
  ["127.0.0.1:1=a:-1", "address-invalid"],
  ["127.0.0.1:1= a:1", "address-invalid"],
  ["127.0.0.256:1=a:1", "address-invalid"],
  ["127.1:1=a:1", "address-invalid"],
  ["::1:1=a:1", "address-invalid"],
  ["[127.0.0.1]:1=a:1", "address-invalid"],
  ["[fe80::1%eth0]:1=a:1", "address-invalid"],
  ["127.0.0.1:1=-a:1", "address-invalid"],
  ["127.0.0.1:1=a..b:1", "address-invalid"],
  [`127.0.0.1:1=${"a".repeat(64)}:1`, "address-invalid"],
] as const;

for (const [text, code] of refused) {
  test(`refuses --inbound ${JSON.stringify(text)} as ${code}`, () => {
    assert.throws(
      () => parseInbound(text),
      (error) => error instanceof ListenError && error.code === code,
    );
  });
}

test("refuses --outbound without a SPIFFE ID, or with a broken one", () => {
  assert.throws(() => parseOutbound("127.0.0.1:1=a:1"), ListenError);
  assert.throws(() => parseOutbound("127.0.0.1:1=a:1@"), ListenError);
  assert.throws(() => parseOutbound("127.0.0.1:1=a:1@https://td.test/a"), SpiffeIdError);
});
