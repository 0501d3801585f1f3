import assert from "node:assert/strict";
import { isIPv4, isIPv6 } from "node:net";
import { test } from "node:test";
import * as fc from "fast-check";
import { canonicalIp, ipOfOctets, isLoopback, octetsOfIp } from "./ip-address.ts";

test("writes an address in one form, and nothing that is none", () => {
  const forms: readonly (readonly [string, string | undefined])[] = [
    ["10.0.0.1", "10.0.0.1"],
    ["::FFFF:10.0.0.1", "10.0.0.1"],
    ["::ffff:0a00:0001", "10.0.0.1"],
    ["0:0:0:0:0:ffff:255.255.255.255", "255.255.255.255"],
    ["::10.0.0.1", "::a00:1"],
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["fe80::1%eth0", "fe80::1"],
    ["::", "::"],
    ["::1", "::1"],
    ["", undefined],
    ["10.0.0.256", undefined],
    ["10.0.0.01", undefined],
    ["10.0.1", undefined],
    ["::1]/[::2", undefined],
    ["1:2:3", undefined],
    ["web.test", undefined],
    ["unix:///a:b", undefined],
  ];
  for (const [text, canonical] of forms) assert.equal(canonicalIp(text), canonical, text);
});

test("agrees with Node on what is an address, and leaves a canonical one as it is", () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ maxLength: 20 })), (text) => {
      const canonical = canonicalIp(text);
      assert.equal(canonical !== undefined, isIPv4(text) || isIPv6(text), text);
      if (canonical !== undefined) assert.equal(canonicalIp(canonical), canonical);
    }),
  );
});

test("goes to octets and back", () => {
  const octets = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
    fc
      .array(fc.constantFrom(0, 0, 255), { minLength: 16, maxLength: 16 })
      .map((all) => Uint8Array.from(all)),
  );
  fc.assert(
    fc.property(octets, (before) => {
      const text = ipOfOctets(before);
      assert.ok(text !== undefined);
      const after = octetsOfIp(text);
      assert.deepEqual([...after], [...before].slice(-after.length));
      assert.equal(canonicalIp(text), text);
    }),
  );
  assert.equal(ipOfOctets(new Uint8Array(5)), undefined);
});

test("knows its own host", () => {
  for (const address of ["127.0.0.1", "127.1.2.3", "::1"]) assert.ok(isLoopback(address));
  for (const address of ["10.127.0.1", "::2", "127::1"]) assert.ok(!isLoopback(address));
});
