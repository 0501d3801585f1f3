import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assert as assertProperty, nat, property } from "fast-check";
import { shareOf } from "./mtls-status-cells.ts";
import { policyStatusText } from "./mtls-status-table.ts";
import type { PortValue, ProxyPolicyValue } from "./mtls-status-value.ts";

const nowMs = Date.UTC(2026, 10, 29, 12);

function portOf(more: Partial<PortValue> = {}): PortValue {
  const because = {
    kind: "PeerAuthentication",
    namespace: "shop",
    name: "default",
    rule: "namespace",
  };
  return {
    port: 8080,
    wanted: "permissive",
    inForce: "permissive",
    because,
    openPlaintext: 0,
    flip: null,
    heldBack: false,
    mtlsConnections: 0,
    openMtls: 0,
    otherConnections: 0,
    refusedConnections: 0,
    otherCallers: 0,
    permissiveUntil: null,
    permissiveUntilText: null,
    owner: null,
    ...more,
  };
}

function proxyOf(name: string, ports: readonly PortValue[], node = name): ProxyPolicyValue {
  const rest = {
    agent: "a1",
    waits: [],
    refusal: null,
    state: "in-force",
    absence: "",
    absenceUntil: "",
  };
  const spiffeId = "spiffe://prod.example/ns/shop/sa/x";
  return { spiffeId, proxy: node, workload: `shop/${name}`, ports, ...rest };
}

function linesOf(
  proxies: readonly ProxyPolicyValue[],
  columns?: number,
  colour = false,
): readonly string[] {
  const view = { namespace: undefined, colour, nowMs, columns };
  return policyStatusText({ sequence: 1, proxies }, view).split("\n");
}

describe("mtls status", () => {
  it("shows the share of mTLS and how many others call, and nothing where nothing was seen", () => {
    const seen = { mtlsConnections: 998, otherConnections: 2, otherCallers: 1 };
    const all = { mtlsConnections: 7 };
    const lines = linesOf([
      proxyOf("a", [portOf(seen), portOf({ port: 81 })]),
      proxyOf("b", [portOf(all)]),
    ]);
    assert.deepEqual(lines, [
      "WORKLOAD   PROXY   PORT   WANTED       IN FORCE      MTLS   PLAINTEXT   BECAUSE                                       STATE",
      "shop/a     a       8080   permissive   permissive   99.8%           1   PeerAuthentication shop/default (namespace)   in-force",
      "shop/a     a         81   permissive   permissive       -           -   PeerAuthentication shop/default (namespace)   in-force",
      "shop/b     b       8080   permissive   permissive    100%           0   PeerAuthentication shop/default (namespace)   in-force",
      "",
    ]);
  });

  it("counts open connections with mTLS: a busy port whose calls never end is no port that nobody calls", () => {
    const busy = portOf({ openMtls: 12 });
    const mixed = portOf({ openMtls: 1, otherConnections: 1, otherCallers: 1, port: 81 });
    const lines = linesOf([proxyOf("a", [busy, mixed])]);
    assert.match(lines[1] ?? "", / 100%, 12 open +0 /);
    assert.match(lines[2] ?? "", / 50\.0%, 1 open +1 /);
  });

  it("has what is no date as it is written, as one that has come, and says what is expected", () => {
    const wrong = portOf({ permissiveUntilText: "24.12.2026", owner: "team-x" });
    const lines = linesOf([proxyOf("a", [wrong])]);
    assert.match(lines[1] ?? "", / - +"24\.12\.2026" +team-x +Peer/);
    assert.deepEqual(lines.slice(-3), [
      "permissive: 1 of 1 ports; 1 until a date, 1 of them past it",
      'past: shop/a:8080: expected a date or time such as 2026-12-24 or 2026-12-24T08:00:00Z, got "24.12.2026"; team-x answers for it',
      "",
    ]);
  });

  it("says of each port which flip holds it back, and which has opened it", () => {
    const because = { kind: null, namespace: null, name: null, rule: "flip" };
    const ports = [
      portOf({ flip: 7, because, heldBack: true }),
      portOf({ port: 81, wanted: "strict", flip: 8 }),
      // Its object does not say STRICT yet.
      portOf({ port: 82, flip: 8, heldBack: true }),
    ];
    const lines = linesOf([proxyOf("a", ports)]);
    assert.match(lines[1] ?? "", / in-force, held back by flip 7$/);
    assert.match(lines[2] ?? "", / in-force, flip 8$/);
    assert.match(lines[3] ?? "", / in-force, held back by flip 8$/);
  });

  const late = portOf({ permissiveUntil: "2026-11-01T00:00:00Z", owner: "team-x" });
  const early = portOf({ permissiveUntil: "2026-12-24T08:00:00Z", port: 81 });

  it("has dates and owners only where somebody has some, and says what is left and what is late", () => {
    const lines = linesOf([
      proxyOf("a", [late, early]),
      proxyOf("b", [late, portOf({ wanted: "strict" })]),
    ]);
    assert.match(lines[0] ?? "", / PLAINTEXT +UNTIL +OWNER +BECAUSE /);
    assert.match(lines[1] ?? "", / - +2026-11-01 +team-x +Peer/);
    assert.match(lines[2] ?? "", / - +2026-12-24T08:00:00Z +- +Peer/);
    assert.deepEqual(lines.slice(-3), [
      "permissive: 3 of 4 ports; 3 until a date, 2 of them past it",
      "past: shop/a:8080, shop/b:8080: was to be permissive until 2026-11-01 (28d12h ago); team-x answers for it",
      "",
    ]);
  });

  it("has a date that has come in red, but not of a port that is strict, or held back by a flip", () => {
    const because = { ...late.because, rule: "flip" };
    const ports = [late, { ...late, wanted: "strict" }, { ...late, because }];
    const red = linesOf([proxyOf("a", ports)], undefined, true).filter((line) =>
      line.includes("\u001B[31m2026-11-01"),
    );
    assert.equal(red.length, 1);
  });

  it("fits into a narrow terminal: without what the workload's name says, then with the objects below", () => {
    const proxies = [proxyOf("api-0", [portOf()]), proxyOf("api-1", [portOf()])];
    const [head = ""] = linesOf(proxies, 125);
    assert.doesNotMatch(head, /PROXY/);
    assert.match(head, /BECAUSE/);
    const narrow = linesOf(proxies, 80);
    assert.ok(narrow.slice(0, 3).every(({ length }) => length <= 80));
    assert.deepEqual(narrow.slice(3), [
      "",
      "because of PeerAuthentication shop/default (namespace): shop/api-0:8080, shop/api-1:8080",
      "",
    ]);
  });

  it("cuts what is too long even so, and keeps both ends of names", () => {
    const port = portOf({ permissiveUntil: "2026-12-24T08:00:00Z", owner: "the-team-of-payments" });
    const long = proxyOf("a-workload-with-a-long-name-0", [port], "other-node");
    const narrow = linesOf([long], 80);
    const table = narrow.slice(0, 2);
    assert.ok(
      table.every(({ length }) => length <= 80),
      table.join("\n"),
    );
    assert.match(table[1] ?? "", /^shop\S*…\S*-0 /);
    assert.match(narrow[5] ?? "", /^until 2026-12-24T08:00:00Z \(the-team-of-payments\): shop\//);
    assert.match(linesOf([long])[1] ?? "", /^shop\/a-workload-with-a-long-name-0 /);
  });

  it("keeps the proxy's name where it says something", () => {
    const proxies = [proxyOf("api-0", [portOf()], "other-node")];
    assert.match(linesOf(proxies, 80)[0] ?? "", /PROXY/);
  });
});

describe("the share of mTLS", () => {
  it("is all or nothing only where it is", () => {
    assertProperty(
      property(nat(), nat(), (mtls, others) => {
        const share = shareOf(portOf({ mtlsConnections: mtls, otherConnections: others }));
        assert.equal(share === "100%", mtls > 0 && others === 0);
        assert.equal(share === "0%", mtls === 0 && others > 0);
        assert.equal(share === "", mtls + others === 0);
        assert.ok(!/^(100\.0|0\.0)%$/.test(share));
      }),
    );
    assert.equal(shareOf(portOf({ mtlsConnections: 1, otherConnections: 1_000_000 })), "0.1%");
    const outsiders = { mtlsConnections: 1, otherConnections: 60, refusedConnections: 60 };
    assert.equal(shareOf(portOf(outsiders)), "100%");
    assert.equal(shareOf(portOf({ mtlsConnections: 1_000_000, otherConnections: 1 })), "99.9%");
  });
});
