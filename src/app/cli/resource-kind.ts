/** Kinds of objects by the words that kubectl takes for them. */

import { refWords, type ResourceKind, type ResourceRef } from "../../core/resources/resource.ts";
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

const kinds = (Object.keys(words) as readonly string[]).filter(isKind);

/** @throws UsageError */
export function parseKind(word: string): ResourceKind {
  const wanted = word.toLowerCase();
  const kind = kinds.find((each) => {
    const { singular, plural, group, short } = words[each];
    const long = [singular, plural];
    return [...long, ...long.map((name) => `${name}${group}`), ...short].includes(wanted);
  });
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

function isKind(word: string): word is ResourceKind {
  return Object.hasOwn(words, word);
}
