/** Kinds of objects by the words that kubectl takes for them. */

import {
  refWords,
  type ClusterKind,
  type ResourceKind,
  type ResourceRef,
} from "../../core/resources/resource.ts";
import { didYouMean } from "../../edge/config/nearest-match.ts";
import type { LocatedFinding } from "./finding-table.ts";
import { printable } from "./text.ts";
import { UsageError } from "./usage-error.ts";

interface KindWords {
  readonly singular: string;
  readonly plural: string;
  readonly group: string;
  /** Istio's. */
  readonly short: readonly string[];
}

const security = ".security.istio.io";
const networking = ".networking.istio.io";

const words: Readonly<Record<ResourceKind, KindWords>> = {
  PeerAuthentication: {
    singular: "peerauthentication",
    plural: "peerauthentications",
    group: security,
    short: ["pa"],
  },
  DestinationRule: {
    singular: "destinationrule",
    plural: "destinationrules",
    group: networking,
    short: ["dr"],
  },
  ServiceEntry: {
    singular: "serviceentry",
    plural: "serviceentries",
    group: networking,
    short: ["se"],
  },
  WorkloadEntry: {
    singular: "workloadentry",
    plural: "workloadentries",
    group: networking,
    short: ["we"],
  },
  Sidecar: { singular: "sidecar", plural: "sidecars", group: networking, short: [] },
  MeshConfig: { singular: "meshconfig", plural: "meshconfigs", group: "", short: ["configmap"] },
};

const clusterWords: Readonly<Record<ClusterKind, KindWords>> = {
  Pod: { singular: "pod", plural: "pods", group: "", short: ["po"] },
  Service: { singular: "service", plural: "services", group: "", short: ["svc"] },
};

const kinds = (Object.keys(words) as readonly string[]).filter(isKind);
const clusterKinds: readonly ClusterKind[] = ["Pod", "Service"];

/** Also of what is only shown: that of a cluster. @throws UsageError */
export function parseShownKind(word: string): ResourceKind | ClusterKind {
  return clusterKinds.find((each) => isCalled(clusterWords[each], word)) ?? parseKind(word);
}

/** @throws UsageError */
export function parseKind(word: string): ResourceKind {
  const kind = kinds.find((each) => isCalled(words[each], word));
  if (kind !== undefined) return kind;
  const near = didYouMean(word, kinds);
  const list = kinds.map((each) => [...words[each].short, each][0]).join(", ");
  const message = `KIND: expected one of ${list}, got ${JSON.stringify(word)}${near}`;
  throw new UsageError("usage-invalid-value", message);
}

/** `PeerAuthentication payments/default` */
export function resourceWords(ref: ResourceRef): string {
  return printable(refWords(ref));
}

/** `FILE:LINE: PeerAuthentication payments/default: spec.mtls: TEXT; HINT` */
export function findingLine({ origin, ref, path, text, hint }: LocatedFinding): string {
  const object = ref === undefined ? "" : refWords(ref);
  const parts = [origin, object, path, text].filter((part) => part !== "");
  return printable(`${parts.join(": ")}${hint === "" ? "" : `; ${hint}`}`);
}

function isCalled({ singular, plural, group, short }: KindWords, word: string): boolean {
  const long = [singular, plural];
  const all = [...long, ...long.map((name) => `${name}${group}`), ...short];
  return all.includes(word.toLowerCase());
}

function isKind(word: string): word is ResourceKind {
  return Object.hasOwn(words, word);
}
