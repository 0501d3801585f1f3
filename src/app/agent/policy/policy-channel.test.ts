import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { TestFeed } from "../../../../test/support/policy-feed.ts";
import { SpiffeId } from "../../../core/spiffe/id.ts";
import { PolicyChannel, policyKind } from "./policy-channel.ts";
import { PolicyOwner } from "./policy-owner.ts";
import {
  clusterTypeUrl,
  endpointTypeUrl,
  listenerTypeUrl,
} from "../../../core/envoy/proxy-resources.ts";

type Protocol = "sotw" | "delta";
const id = SpiffeId.parse("spiffe://td/ns/a/sa/b");
const node = { id: "proxy-1", cluster: "" };

function open(protocol: Protocol, isKnown = true) {
  const feed = new TestFeed();
  const owner = new PolicyOwner();
  if (isKnown) owner.know(id);
  const channel = new PolicyChannel({
    protocol,
    proxyId: node.id,
    labels: new Map(),
    owner,
    namesWorkload: false,
    feed,
    nowMs: () => 0,
    send: () => {},
    end: ({ details }) => assert.fail(details),
  });
  /** The first of a type on its stream. */
  const ask = (typeUrl: string, version: string): void => {
    const kind = policyKind(typeUrl);
    assert(kind !== undefined);
    const request = { typeUrl, node, responseNonce: "", error: undefined };
    if (protocol === "sotw") {
      const resourceNames = kind === "endpoints" ? ["a"] : [];
      channel.receiveSotw(kind, { ...request, versionInfo: version, resourceNames });
    } else {
      const initialVersions = new Map(version === "" ? [] : [["a", version]]);
      const subscribe = kind === "endpoints" ? ["a"] : [];
      channel.receiveDelta(kind, { ...request, subscribe, unsubscribe: [], initialVersions });
    }
  };
  return { feed, owner, channel, ask, fresh: () => [...feed.users].map(({ isFresh }) => isFresh) };
}

for (const protocol of ["sotw", "delta"] as const) {
  describe(`an Envoy that speaks ${protocol}`, () => {
    it("is nobody before it asks for a policy, nor before its workload is known", () => {
      assert.deepEqual(open(protocol).fresh(), []);
      const { ask, owner, fresh } = open(protocol, false);
      ask(clusterTypeUrl, "");
      assert.deepEqual(fresh(), []);
      owner.know(id);
      assert.deepEqual(fresh(), [true]);
    });

    const cases: readonly (readonly [string, readonly (readonly [string, string])[], boolean])[] = [
      [
        "without versions has nothing",
        [
          [clusterTypeUrl, ""],
          [listenerTypeUrl, ""],
        ],
        true,
      ],
      ["with listeners alone and without versions has nothing", [[listenerTypeUrl, ""]], true],
      ["with a version of its clusters has something", [[clusterTypeUrl, "1"]], false],
      [
        "with a version of its listeners has something",
        [
          [clusterTypeUrl, ""],
          [listenerTypeUrl, "1"],
        ],
        false,
      ],
      ["that asks for endpoints first has clusters", [[endpointTypeUrl, ""]], false],
    ];
    for (const [what, requests, isFresh] of cases) {
      it(what, () => {
        const { ask, fresh, channel } = open(protocol);
        for (const [typeUrl, version] of requests) ask(typeUrl, version);
        assert.deepEqual(fresh(), [isFresh]);
        channel.close();
        assert.deepEqual(fresh(), []);
      });
    }
  });
}
