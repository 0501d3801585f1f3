/** Which objects there are, by Istio's names; those that say nothing here, and those that are another verb's. */

import type { PolicyObject } from "../../core/resources/policy-object.ts";
import { nearestMatch } from "../config/nearest-match.ts";
import { readDestinationRule } from "./destination-rule.ts";
import type { Json } from "./manifest.ts";
import { readMeshConfig } from "./mesh-config.ts";
import type { Head } from "./metadata.ts";
import { readPeerAuthentication } from "./peer-authentication.ts";
import { clipped, shown, type Place } from "./place.ts";
import { readServiceEntry } from "./service-entry.ts";
import { readSidecar } from "./sidecar.ts";
import { readWorkloadEntry } from "./workload-entry.ts";

export interface Kind {
  readonly kind: PolicyObject["kind"];
  /** Of the manifest. */
  readonly group: string;
  readonly versions: readonly string[];
  readonly manifestKind: string;
  /** Where what it says stands. */
  readonly field: "spec" | "data";
  /** Without it there is nothing. */
  readonly needsField: boolean;
  readonly read: (head: Head, value: Json, place: Place) => PolicyObject;
}

const security = "security.istio.io";
const networking = "networking.istio.io";

/** The first of its versions is the one that manifests are kept in. */
const kinds: readonly Kind[] = [
  {
    ...istio("PeerAuthentication", security, ["v1", "v1beta1"]),
    // Istio takes one that says nothing.
    needsField: false,
    read: (...of) => ({ kind: "PeerAuthentication", object: readPeerAuthentication(...of) }),
  },
  {
    ...istio("DestinationRule", networking),
    read: (...of) => ({ kind: "DestinationRule", object: readDestinationRule(...of) }),
  },
  {
    ...istio("ServiceEntry", networking),
    read: (...of) => ({ kind: "ServiceEntry", object: readServiceEntry(...of) }),
  },
  {
    ...istio("WorkloadEntry", networking),
    read: (...of) => ({ kind: "WorkloadEntry", object: readWorkloadEntry(...of) }),
  },
  {
    ...istio("Sidecar", networking),
    read: (...of) => ({ kind: "Sidecar", object: readSidecar(...of) }),
  },
  {
    ...istio("MeshConfig", "", ["v1"]),
    manifestKind: "ConfigMap",
    field: "data",
    read: (...of) => ({ kind: "MeshConfig", object: readMeshConfig(...of) }),
  },
];

export type KindAnswer =
  | { readonly known: Kind }
  /** Not for us, and said so. */
  | { readonly idle: string }
  | { readonly wrong: string; readonly hint: string; readonly at: "apiVersion" | "kind" };

export function findKind(apiVersion: string, manifestKind: string): KindAnswer {
  const slash = apiVersion.lastIndexOf("/");
  const [group, version] = [apiVersion.slice(0, Math.max(slash, 0)), apiVersion.slice(slash + 1)];
  const known = kinds.find((each) => each.manifestKind === manifestKind);
  if (known?.group === group && known.versions.includes(version)) return { known };
  if (group === "authentication.istio.io") {
    const hint = "portcullis policy import -f FILE turns it into today's objects";
    return {
      wrong: `expected an object of today, got Istio 1.0's ${clipped(manifestKind)}`,
      hint,
      at: "kind",
    };
  }
  if (known !== undefined) {
    const all = known.versions.map((each) => apiVersionOf(known, each)).join(" or ");
    const wrong = `expected ${all} for ${manifestKind}, got ${shown(apiVersion)}`;
    return { wrong, hint: "", at: "apiVersion" };
  }
  const ours = kinds.filter((each) => each.group === group && group !== "");
  const near = nearestMatch(
    manifestKind,
    ours.map((each) => each.manifestKind),
  );
  if (ours.length > 0 && near !== undefined && !idleKinds.has(manifestKind)) {
    const wrong = `expected a known kind, got ${shown(manifestKind)}, did you mean "${near}"`;
    return { wrong, hint: "", at: "kind" };
  }
  return { idle: `${clipped(manifestKind)} (${clipped(apiVersion)}) is without effect here` };
}

/** As manifests are kept. */
export function apiVersionOf(
  { group, versions }: Kind,
  version: string = versions[0] ?? "",
): string {
  return group === "" ? version : `${group}/${version}`;
}

/** Istio's own that are near to one of ours by their names. */
const idleKinds: ReadonlySet<string> = new Set([
  "AuthorizationPolicy",
  "RequestAuthentication",
  "WorkloadGroup",
]);

function istio(
  kind: Kind["kind"],
  group: string,
  versions: readonly string[] = ["v1", "v1beta1", "v1alpha3"],
): Omit<Kind, "read"> {
  return { kind, group, versions, manifestKind: kind, field: "spec", needsField: true };
}
