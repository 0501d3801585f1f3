/** A server that moves to another address, and several that are one workload by name. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  applied,
  calling,
  clientPolicy,
  cluster,
  modeAt,
  sentBy,
  serverAddress,
  serverPolicy,
  SmallMesh,
} from "../../../test/support/rollout-policies.ts";
import type { ProxyPolicy, Sending } from "./proxy-policy.ts";
import type { Applied } from "./rollout-proxy.ts";
import type { ServerMode } from "./server-mode.ts";

const next = "10.0.0.2";

function boundTo(bind: string, mode: ServerMode = "permissive"): ProxyPolicy {
  const policy = serverPolicy(mode);
  return { ...policy, inbound: policy.inbound.map((each) => ({ ...each, bind })) };
}

function callingAt(address: string, sends: Sending = "mtls"): ProxyPolicy {
  return calling([cluster("web", sends, undefined, address)]);
}

function addressesOf(policy: ProxyPolicy | undefined): string[] {
  return (policy?.clusters ?? []).flatMap(({ endpoints }) => endpoints.map((each) => each.address));
}

describe("a server that moves", () => {
  /** `s` listens at its first address, and is to listen at the next. */
  const moving = (before: ProxyPolicy, after: ProxyPolicy): SmallMesh => {
    const mesh = new SmallMesh().has("s", before).has("a", clientPolicy("mtls"));
    mesh.rollout.target("s", { desired: after, address: next });
    return mesh.wants("a", callingAt(next));
  };

  it("listens there before a client is told the address, which stays where it listens until then", () => {
    const mesh = moving(serverPolicy("permissive"), boundTo(next));
    assert.deepEqual(mesh.push(), ["s"]);
    assert.deepEqual(mesh.rollout.progress().get("a")?.held, [
      { step: "send-mtls", endpoint: `${next}:8080`, waitsFor: ["s"], count: 1 },
    ]);
    assert.deepEqual(mesh.acks("s").push(), ["a"]);
    assert.deepEqual(mesh.acks("a").push(), []);
    assert.equal(mesh.rollout.stage("a"), "in-force");
  });

  it("and cannot keeps its clients: a wrong address takes nothing away", () => {
    const mesh = moving(serverPolicy("permissive"), boundTo(next));
    mesh.push();
    const refused = mesh.sent.get("s");
    mesh.rollout.reported("s", applied(serverPolicy("permissive"), { refused }));
    assert.deepEqual(mesh.push(), []);
    assert.deepEqual(addressesOf(mesh.rollout.progress().get("a")?.policy), [serverAddress]);
  });

  it("has clients follow at once where all addresses are listened on", () => {
    for (const bind of ["0.0.0.0", "::"]) {
      assert.deepEqual(moving(boundTo(bind), boundTo(bind)).push(), ["a"]);
    }
  });

  it("listens on no IPv6 address by 0.0.0.0", () => {
    const mesh = new SmallMesh().has("s", boundTo("0.0.0.0"));
    mesh.rollout.target("s", { desired: boundTo("fd00::1"), address: "fd00::1" });
    mesh.has("a", callingAt("fd00::1", "plaintext")).wants("a", callingAt("fd00::1"));
    assert.deepEqual(mesh.push(), ["s"]);
  });

  it("has clients follow at once where a Sidecar says another bind, which stays: so it is behind NAT", () => {
    assert.deepEqual(moving(boundTo("192.168.0.7"), boundTo("192.168.0.7")).push(), ["a"]);
  });

  it("holds its clients also while its agent is away, until it is gone", () => {
    const mesh = moving(serverPolicy("permissive"), boundTo(next));
    assert.deepEqual(mesh.push(), ["s"]);
    mesh.rollout.disconnected("s");
    assert.deepEqual(mesh.push(), []);
    mesh.rollout.remove("s");
    assert.deepEqual(mesh.push(), ["a"]);
    assert.deepEqual(addressesOf(mesh.sent.get("a")), [next]);
  });

  it("and of which nothing was heard since the server's start holds its clients until it is", () => {
    const unheard = (): SmallMesh => {
      const mesh = new SmallMesh().has("a", clientPolicy("mtls"));
      mesh.rollout.target("s", { desired: boundTo(next), address: next });
      mesh.wants("a", callingAt(next));
      assert.deepEqual(mesh.push(), []);
      assert.deepEqual(addressesOf(mesh.rollout.progress().get("a")?.policy), [serverAddress]);
      assert.deepEqual(mesh.rollout.progress().get("a")?.held[0]?.waitsFor, ["s"]);
      return mesh;
    };
    const report = (policy: Applied): SmallMesh => {
      const mesh = unheard();
      mesh.rollout.reported("s", applied(policy));
      return mesh;
    };
    assert.deepEqual(report(serverPolicy("permissive")).push(), ["s"], "it has not moved yet");
    assert.deepEqual(report(boundTo(next)).push(), ["a"], "it listens there");
    assert.deepEqual(report("nothing").push(), ["a", "s"], "it is new");
    const mesh = unheard();
    mesh.rollout.remove("s");
    assert.deepEqual(mesh.push(), ["a"], "it is gone");
  });

  it("and was not heard holds none of a client's other endpoints", () => {
    const web = (...addresses: readonly string[]): ProxyPolicy => {
      const clusters = addresses.map((each) => cluster("web", "mtls", undefined, each));
      const [first = cluster("web", "mtls")] = clusters;
      return calling([{ ...first, endpoints: clusters.flatMap(({ endpoints }) => endpoints) }]);
    };
    const before = web(serverAddress, "10.0.0.8", "10.0.0.9");
    for (const isMoving of [false, true]) {
      const mesh = new SmallMesh().has("a", before);
      for (const address of [next, "10.0.0.3"]) {
        mesh.rollout.target(address, { desired: boundTo(address), address });
      }
      if (isMoving) mesh.rollout.reported(next, applied(serverPolicy("permissive")));
      mesh.wants("a", web(next, "10.0.0.3", "10.0.0.9", "10.0.0.10")).push();
      const told = [serverAddress, "10.0.0.8", "10.0.0.9", "10.0.0.10"];
      assert.deepEqual(addressesOf(mesh.sent.get("a")), told);
    }
  });

  it("gives a client that is new the address at once: it has no other", () => {
    const mesh = moving(serverPolicy("permissive"), boundTo(next));
    mesh.rollout.reported("b", applied("nothing"));
    assert.deepEqual(mesh.wants("b", callingAt(next)).push(), ["b", "s"]);
  });

  it("tells nobody one socket twice where another server takes its old address", () => {
    const both = (a: string, b: string): ProxyPolicy => {
      const web = cluster("web", "mtls", undefined, a);
      const [second] = cluster("web", "mtls", undefined, b).endpoints;
      return calling([{ ...web, endpoints: [...web.endpoints, ...(second ? [second] : [])] }]);
    };
    const mesh = moving(serverPolicy("permissive"), boundTo(next));
    mesh.wants("a", both(next, serverAddress));
    assert.deepEqual(mesh.push(), ["a", "s"]);
    assert.deepEqual(addressesOf(mesh.sent.get("a")), [next, serverAddress]);
  });

  it("takes at the new address what is sent there to the application, until it is not", () => {
    const mesh = moving(serverPolicy("strict"), boundTo(next, "strict"));
    mesh.has("b", callingAt(next, "plaintext")).wants("b", callingAt(next));
    assert.deepEqual(mesh.push(), ["s"]);
    assert.equal(modeAt(mesh.sent.get("s")), "permissive");
    assert.deepEqual(mesh.acks("s").push(), ["a", "b"]);
    assert.deepEqual(mesh.acks("b").push(), ["s"]);
    assert.equal(modeAt(mesh.sent.get("s")), "strict");
  });
});

describe("a second proxy of a server's name", () => {
  /** `s` takes all, and a client goes over to mTLS. */
  const twins = (): SmallMesh => {
    const mesh = new SmallMesh().has("s", serverPolicy("permissive"));
    mesh.has("a", clientPolicy("plaintext")).wants("s2", serverPolicy("permissive"));
    return mesh;
  };

  it("that has never listened there holds nobody, whatever it refuses", () => {
    const mesh = twins();
    mesh.rollout.reported("s2", applied("nothing"));
    assert.deepEqual(mesh.push(), ["s2"]);
    assert.deepEqual(mesh.wants("a", clientPolicy("mtls")).push(), ["a"]);
    const pending = mesh.sent.get("s2");
    const given = pending === undefined ? [] : [pending];
    mesh.rollout.reported("s2", applied("nothing", { refused: pending, pending: given }));
    mesh.acks("a").wants("a", clientPolicy("plaintext"));
    assert.deepEqual(mesh.push(), ["a"]);
  });

  it("that may listen there otherwise is waited for", () => {
    const mesh = twins();
    mesh.rollout.reported("s2", applied(serverPolicy("disable")));
    assert.deepEqual(mesh.wants("a", clientPolicy("mtls")).push(), ["s2"]);
    assert.deepEqual(mesh.acks("s2").push(), ["a"]);
  });

  it("that has not said what it has is waited for, by name", () => {
    const mesh = twins();
    mesh.rollout.reported("s2", applied(undefined));
    assert.deepEqual(mesh.wants("a", clientPolicy("mtls")).push(), []);
    assert.deepEqual(mesh.rollout.progress().get("a")?.held[0]?.waitsFor, ["s2"]);
    mesh.rollout.remove("s2");
    assert.deepEqual(mesh.push(), ["a"]);
  });

  it("that is away, and has listened at another address, holds nobody once the new one listens", () => {
    const mesh = new SmallMesh().has("s", serverPolicy("permissive"));
    mesh.has("a", clientPolicy("plaintext"));
    mesh.rollout.disconnected("s");
    for (const key of ["s", "s2"]) {
      mesh.rollout.target(key, { desired: boundTo(next), address: next });
    }
    mesh.rollout.reported("s2", applied("nothing"));
    assert.deepEqual(mesh.wants("a", callingAt(next, "plaintext")).push(), ["s2"]);
    assert.deepEqual(mesh.acks("s2").push(), ["a"]);
    assert.deepEqual(mesh.acks("a").wants("a", callingAt(next)).push(), ["a"]);
    assert.equal(sentBy(mesh.sent.get("a")), "mtls");
  });
});
