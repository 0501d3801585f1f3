/** The rollout step by step: what each proxy is told when, and whom it waits for. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  applied,
  askingPolicy,
  calling,
  clientPolicy,
  cluster,
  modeAt,
  sentBy,
  serverPolicy,
  SmallMesh,
} from "../../../test/support/rollout-policies.ts";
import { emptyPolicy, type Sending } from "./proxy-policy.ts";
import type { ServerMode } from "./server-mode.ts";

const endpoint = "10.0.0.1:8080";

describe("a change of mode", () => {
  it("goes from DISABLE to STRICT through PERMISSIVE, each step after the answers to the last", () => {
    const mesh = new SmallMesh().has("s", serverPolicy("disable"));
    mesh.has("a", clientPolicy("plaintext")).has("b", clientPolicy("plaintext"));
    mesh.wants("s", serverPolicy("strict"));
    mesh.wants("a", clientPolicy("mtls")).wants("b", clientPolicy("mtls"));
    assert.deepEqual(mesh.push(), ["s"]);
    assert.equal(modeAt(mesh.sent.get("s")), "permissive");
    assert.deepEqual(mesh.push(), []);
    assert.deepEqual(mesh.acks("s").push(), ["a", "b"]);
    assert.deepEqual(mesh.acks("a").push(), []);
    assert.deepEqual(mesh.rollout.progress().get("s")?.held, [
      { step: "stop-plaintext", endpoint, waitsFor: ["b"], count: 1 },
    ]);
    assert.deepEqual(mesh.acks("b").push(), ["s"]);
    assert.equal(modeAt(mesh.sent.get("s")), "strict");
    assert.equal(mesh.rollout.stage("s"), "pushed");
    assert.equal(mesh.acks("s").rollout.stage("s"), "in-force");
    assert.ok([...mesh.rollout.progress().values()].every(({ held }) => held.length === 0));
  });

  it("goes from STRICT to DISABLE through PERMISSIVE", () => {
    const mesh = new SmallMesh().has("s", serverPolicy("strict")).has("a", clientPolicy("mtls"));
    mesh.wants("s", serverPolicy("disable")).wants("a", clientPolicy("plaintext"));
    assert.deepEqual(mesh.push(), ["s"]);
    assert.deepEqual(mesh.rollout.progress().get("a")?.held, [
      { step: "send-plaintext", endpoint, waitsFor: ["s"], count: 1 },
    ]);
    assert.equal(modeAt(mesh.sent.get("s")), "permissive");
    assert.deepEqual(mesh.acks("s").push(), ["a"]);
    assert.deepEqual(mesh.acks("a").push(), ["s"]);
    assert.equal(modeAt(mesh.sent.get("s")), "disable");
  });

  it("asks no client again that already sends what it is to send", () => {
    const mesh = new SmallMesh().has("s", serverPolicy("permissive"));
    mesh.has("a", clientPolicy("mtls")).wants("s", serverPolicy("strict"));
    assert.deepEqual(mesh.push(), ["s"]);
    assert.deepEqual(mesh.acks("s").push(), []);
  });

  it("waits for plaintext under another service's name", () => {
    const two = (sends: Sending) => calling([cluster("one", "mtls"), cluster("two", sends)]);
    const mesh = new SmallMesh().has("s", serverPolicy("permissive")).has("a", two("plaintext"));
    mesh.wants("s", serverPolicy("strict")).wants("a", two("mtls"));
    assert.deepEqual(mesh.push(), ["a"]);
    assert.deepEqual(mesh.acks("a").push(), ["s"]);
  });

  it("goes by `modes` where the listeners are not ours", () => {
    const mesh = new SmallMesh();
    mesh.has("s", askingPolicy("disable"), { hasListeners: false });
    mesh.has("a", clientPolicy("plaintext")).wants("a", clientPolicy("mtls"));
    mesh.wants("s", askingPolicy("strict"));
    assert.deepEqual(mesh.push(), ["s"]);
    assert.deepEqual(mesh.sent.get("s")?.modes, {
      other: "strict",
      ports: new Map([[8080, "permissive"]]),
    });
    mesh.rollout.reported("s", applied(mesh.sent.get("s"), { hasListeners: false }));
    assert.deepEqual(mesh.push(), ["a"]);
    assert.deepEqual(mesh.acks("a").push(), ["s"]);
    assert.deepEqual(mesh.sent.get("s"), askingPolicy("strict"));
  });
});

describe("a client", () => {
  const fights: readonly [ServerMode, Sending][] = [
    ["strict", "plaintext"],
    ["strict", "tls"],
    ["disable", "mtls"],
  ];
  for (const [mode, sends] of fights) {
    it(`is told to send ${sends} to ${mode} at once, and is not waited for: so it was decided`, () => {
      const first = mode === "strict" ? "mtls" : "plaintext";
      const mesh = new SmallMesh().has("s", serverPolicy(mode)).has("a", clientPolicy(first));
      mesh.wants("a", clientPolicy(sends));
      assert.deepEqual(mesh.push(), ["a"]);
      assert.deepEqual(mesh.acks("a").push(), []);
    });
  }

  it("is told at once about whoever is no proxy of ours", () => {
    const mesh = new SmallMesh().has("a", clientPolicy("plaintext"));
    assert.deepEqual(mesh.wants("a", clientPolicy("mtls")).push(), ["a"]);
  });

  it("keeps what it has, with its names, and gets all else at once", () => {
    const mesh = new SmallMesh().has("s", serverPolicy("strict"));
    mesh.has("a", calling([cluster("web", "mtls", "old")])).wants("s", serverPolicy("disable"));
    mesh.wants(
      "a",
      calling([cluster("other", "tls", "", "192.0.2.1"), cluster("web", "plaintext")]),
    );
    assert.deepEqual(mesh.push(), ["a", "s"]);
    const [other, web] = mesh.sent.get("a")?.clusters ?? [];
    assert.equal(other?.endpoints[0]?.sends, "tls");
    assert.deepEqual(web, cluster("web", "mtls", "old"));
  });

  it("gets new names at once", () => {
    const mesh = new SmallMesh().has("s", serverPolicy("strict"));
    mesh.has("a", clientPolicy("mtls", "old")).wants("a", clientPolicy("mtls", "new"));
    assert.deepEqual(mesh.push(), ["a"]);
  });

  it("changes between plaintext and TLS of its own at once: no mode tells them apart", () => {
    const mesh = new SmallMesh().has("s", serverPolicy("disable"));
    mesh.has("a", clientPolicy("plaintext")).wants("a", clientPolicy("tls"));
    assert.deepEqual(mesh.push(), ["a"]);
  });

  const first: readonly [ServerMode, ServerMode, Sending, Sending][] = [
    ["permissive", "strict", "mtls", "mtls"],
    ["disable", "disable", "plaintext", "plaintext"],
    ["disable", "permissive", "mtls", "plaintext"],
    ["disable", "strict", "mtls", "plaintext"],
    ["strict", "disable", "plaintext", "plaintext"],
  ];
  for (const [mode, wanted, sends, told] of first) {
    it(`that is new and is to send ${sends} is told ${told} where ${mode} is on its way to ${wanted}`, () => {
      const mesh = new SmallMesh().has("s", serverPolicy(mode));
      mesh.rollout.reported("a", applied("nothing"));
      mesh.wants("a", clientPolicy(sends)).wants("s", serverPolicy(wanted));
      assert.equal(sentBy(mesh.rollout.progress().get("a")?.policy), told);
    });
  }

  it("is waited for until it has acknowledged that it no longer calls", () => {
    const mesh = new SmallMesh().has("s", serverPolicy("permissive"));
    mesh.has("a", clientPolicy("plaintext")).wants("a", emptyPolicy);
    mesh.wants("s", serverPolicy("strict"));
    assert.deepEqual(mesh.push(), ["a"]);
    assert.deepEqual(mesh.acks("a").push(), ["s"]);
  });
});

describe("who is not known", () => {
  const silent = (): SmallMesh =>
    new SmallMesh().has("s", serverPolicy("permissive")).wants("b", clientPolicy("mtls"));

  it("is told nothing, and holds the ports that it is to call, by name", () => {
    const mesh = silent().wants("s", serverPolicy("strict"));
    mesh.rollout.reported("b", applied(undefined));
    assert.deepEqual(mesh.push(), []);
    assert.equal(mesh.rollout.stage("b"), "unknown");
    assert.equal(mesh.rollout.stage("s"), "held");
    assert.deepEqual(mesh.rollout.progress().get("s")?.held[0]?.waitsFor, ["b"]);
    mesh.rollout.reported("b", applied(clientPolicy("mtls")));
    assert.deepEqual(mesh.push(), ["s"]);
  });

  it("holds nothing once it is gone for good", () => {
    const mesh = silent().wants("s", serverPolicy("strict"));
    assert.deepEqual(mesh.push(), []);
    mesh.rollout.remove("b");
    assert.deepEqual(mesh.push(), ["s"]);
  });

  it("opens no port that is strict", () => {
    const mesh = new SmallMesh().wants("b", clientPolicy("mtls")).has("s", serverPolicy("strict"));
    assert.deepEqual(mesh.push(), []);
    assert.equal(mesh.rollout.stage("s"), "in-force");
  });

  it("opens no new port for plaintext, and has a new one take mTLS as well", () => {
    for (const [wanted, sends, told] of [
      ["strict", "mtls", "strict"],
      ["disable", "plaintext", "permissive"],
    ] as const) {
      const mesh = new SmallMesh().wants("b", clientPolicy(sends)).wants("s", serverPolicy(wanted));
      mesh.rollout.reported("s", applied("nothing"));
      assert.equal(modeAt(mesh.rollout.progress().get("s")?.policy), told);
    }
  });

  it("as a server is waited for, also where it may be one without listeners of ours", () => {
    const mesh = new SmallMesh().wants("s", askingPolicy("strict"));
    mesh.has("a", clientPolicy("plaintext")).wants("a", clientPolicy("mtls"));
    assert.deepEqual(mesh.push(), []);
    assert.deepEqual(mesh.rollout.progress().get("a")?.held[0]?.waitsFor, ["s"]);
  });

  it("counts with what it had and was sent while it is silent, until it says otherwise", () => {
    const mesh = new SmallMesh().has("s", serverPolicy("permissive"));
    mesh.has("a", clientPolicy("plaintext")).wants("a", clientPolicy("mtls"));
    mesh.push();
    mesh.rollout.disconnected("a");
    assert.equal(mesh.rollout.stage("a"), "silent");
    mesh.wants("a", clientPolicy("plaintext")).wants("s", serverPolicy("disable"));
    assert.deepEqual(mesh.push(), []);
    mesh.rollout.reported("a", applied(clientPolicy("plaintext")));
    assert.deepEqual(mesh.push(), ["s"]);
  });
});

describe("a new server", () => {
  it("is told at once what it is to take", () => {
    const mesh = new SmallMesh().wants("s", serverPolicy("strict"));
    mesh.rollout.reported("s", applied("nothing"));
    assert.deepEqual(mesh.push(), ["s"]);
    assert.equal(modeAt(mesh.sent.get("s")), "strict");
  });

  it("takes what its callers send to the application until they have moved", () => {
    const mesh = new SmallMesh().has("a", clientPolicy("plaintext"));
    mesh.wants("a", clientPolicy("mtls")).wants("s", serverPolicy("strict"));
    mesh.rollout.reported("s", applied("nothing"));
    assert.deepEqual(mesh.push(), ["s"]);
    assert.equal(modeAt(mesh.sent.get("s")), "permissive");
    assert.deepEqual(mesh.acks("s").push(), ["a"]);
    assert.deepEqual(mesh.acks("a").push(), ["s"]);
  });
});

describe("a refusal", () => {
  const refusing = (): SmallMesh => {
    const mesh = new SmallMesh().has("s", serverPolicy("permissive"));
    mesh.wants("s", serverPolicy("strict")).push();
    const refused = mesh.sent.get("s");
    const old = serverPolicy("permissive");
    const pending = refused === undefined ? [] : [refused];
    mesh.rollout.reported("s", applied(old, { refused, pending }));
    return mesh;
  };

  it("is not answered with the same again, but with something else", () => {
    const mesh = refusing();
    assert.deepEqual(mesh.push(), []);
    assert.equal(mesh.rollout.stage("s"), "refused");
    mesh.rollout.reported(
      "s",
      applied(serverPolicy("permissive"), { refused: mesh.sent.get("s") }),
    );
    assert.deepEqual(mesh.push(), []);
    assert.equal(mesh.rollout.stage("s"), "refused");
    assert.deepEqual(mesh.wants("s", serverPolicy("disable")).push(), ["s"]);
  });

  it("leaves parts in force until the last good one is back", () => {
    const mesh = refusing().has("a", clientPolicy("mtls")).wants("a", clientPolicy("plaintext"));
    mesh.wants("s", serverPolicy("permissive"));
    assert.deepEqual(mesh.push(), []);
    mesh.rollout.reported("s", applied(serverPolicy("permissive")));
    assert.deepEqual(mesh.push(), ["a"]);
  });
});

describe("pushes", () => {
  it("are one at a time to each, and the newest next", () => {
    const mesh = new SmallMesh().has("s", serverPolicy("permissive"));
    assert.deepEqual(mesh.wants("s", serverPolicy("strict")).push(), ["s"]);
    assert.deepEqual(mesh.wants("s", serverPolicy("permissive")).push(), []);
    assert.deepEqual(mesh.acks("s").push(), ["s"]);
    assert.equal(modeAt(mesh.sent.get("s")), "permissive");
  });

  it("are sent again on the next stream where the last one has ended first", () => {
    const mesh = new SmallMesh().has("s", serverPolicy("permissive"));
    mesh.wants("s", serverPolicy("strict")).push();
    mesh.rollout.disconnected("s");
    mesh.rollout.reported("s", applied(serverPolicy("permissive")));
    assert.deepEqual(mesh.push(), ["s"]);
  });

  it("are as many as asked for, and the others with the next call", () => {
    const mesh = new SmallMesh()
      .has("s1", serverPolicy("permissive"))
      .has("s2", serverPolicy("strict"));
    mesh.wants("s1", serverPolicy("disable")).wants("s2", serverPolicy("disable"));
    assert.equal(mesh.rollout.takePushes(1).length, 1);
    assert.equal(mesh.rollout.takePushes(1).length, 1);
    assert.equal(mesh.rollout.takePushes(1).length, 0);
  });
});
