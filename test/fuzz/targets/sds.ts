/** What an Envoy may send for secrets: nobody gets what he did not ask for by its name, and a stream holds bounded state. */

import assert from "node:assert/strict";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { secretTypeUrl as typeUrl } from "../../../src/core/envoy/secret.ts";
import {
  openSubscriber,
  receiveDelta,
  receiveSotw,
  type Step,
  type Subscriber,
} from "../../../src/core/xds/subscriber.ts";
import { deltaRequest, sotwRequest } from "../../../src/core/xds/wire.ts";
import {
  DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema,
} from "../../../src/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { valueOrNoProtobuf, type FuzzTarget } from "../target.ts";

const NAMES_MAX = 64;
const dictionary = [
  typeUrl,
  "default",
  "ROOTCA",
  "n-1",
  "n-2",
  "*",
  "\u0012\u0007default",
  "__proto__",
];
const resources = new Map(
  ["default", "ROOTCA"].map((name) => {
    return [name, { name, version: `v-${name}`, body: Uint8Array.of(1), evidence: name }] as const;
  }),
);
const snapshot = { resources, pending: new Set(["later"]) };
const node = { id: "proxy-1", cluster: "web" };

/** The same message three times: its nonce may then be that of an answer. */
function replay(
  protocol: "sotw" | "delta",
  asked: readonly string[],
  receive: (subscriber: Subscriber<string>) => Step<string>,
): boolean {
  let subscriber = openSubscriber<string>({ protocol, typeUrl, noncePrefix: "n", snapshot });
  for (let times = 0; times < 3; times++) {
    const step = receive(subscriber);
    if (step.kind === "end") return false;
    subscriber = step.subscriber;
    assert.ok(subscriber.subscriptions.size <= NAMES_MAX, "names of one stream");
    for (const { name } of step.response?.resources ?? []) assert.ok(asked.includes(name), name);
    for (const name of subscriber.subscriptions.keys()) assert.ok(asked.includes(name), name);
  }
  return true;
}

export const sdsRequest: FuzzTarget = {
  name: "sds-request",
  shape: "bytes",
  dictionary,
  seeds: () => {
    const encode = (changes: object) =>
      toBinary(
        DiscoveryRequestSchema,
        create(DiscoveryRequestSchema, {
          typeUrl,
          node,
          resourceNames: ["default", "later"],
          ...changes,
        }),
      );
    return {
      first: encode({}),
      ack: encode({ versionInfo: "v-default", responseNonce: "n-1" }),
      nack: encode({ responseNonce: "n-1", errorDetail: { code: 3, message: "no" } }),
    };
  },
  check: (input) => {
    const message = valueOrNoProtobuf(() => fromBinary(DiscoveryRequestSchema, input));
    if (message === undefined) return false;
    const request = sotwRequest(message);
    return replay("sotw", request.resourceNames, (each) => receiveSotw(each, request, 1));
  },
};

export const sdsDelta: FuzzTarget = {
  name: "sds-delta",
  shape: "bytes",
  dictionary,
  seeds: () => {
    const resourceNamesSubscribe = ["default", "ROOTCA", "none"];
    const encode = (changes: object) =>
      toBinary(
        DeltaDiscoveryRequestSchema,
        create(DeltaDiscoveryRequestSchema, { typeUrl, node, resourceNamesSubscribe, ...changes }),
      );
    return {
      first: encode({ initialResourceVersions: { default: "v-default", ROOTCA: "old" } }),
      later: encode({ responseNonce: "n-1", resourceNamesUnsubscribe: ["default"] }),
    };
  },
  check: (input) => {
    const message = valueOrNoProtobuf(() => fromBinary(DeltaDiscoveryRequestSchema, input));
    if (message === undefined) return false;
    const request = deltaRequest(message);
    return replay("delta", request.subscribe, (each) => receiveDelta(each, request, 1));
  },
};
