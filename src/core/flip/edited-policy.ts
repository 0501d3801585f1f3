/**
 * A PeerAuthentication as a value and as the manifest that says it, changed together: of the manifest only what is to change, so that
 * labels, annotations and all that is somebody's own stay.
 */

import { isJsonObject, type JsonObject } from "../identity/json-object.ts";
import type { PeerAuthentication, PeerMode } from "../resources/peer-authentication.ts";
import type { Labels, ResourceName } from "../resources/resource.ts";

export interface EditedPolicy {
  readonly object: PeerAuthentication;
  /** In the canonical form in which manifests are kept. */
  readonly manifest: JsonObject;
}

/** What it says of modes, and nothing else of it. */
export interface PolicyModes {
  readonly mode: PeerMode;
  readonly ports: ReadonlyMap<number, PeerMode>;
}

/** @param createdMs undefined for one that somebody else is to write */
export function newPolicy(
  { namespace, name }: ResourceName,
  selector: Labels,
  createdMs: number | undefined,
): EditedPolicy {
  const ref = { kind: "PeerAuthentication", namespace, name } as const;
  const matchLabels = Object.fromEntries(selector);
  return {
    object: { ref, createdMs, selector, mode: "UNSET", ports: new Map() },
    manifest: {
      apiVersion: "security.istio.io/v1",
      kind: "PeerAuthentication",
      metadata: { name, namespace },
      spec: selector.size === 0 ? {} : { selector: { matchLabels } },
    },
  };
}

/** With these modes in place of its own. */
export function withModes({ object, manifest }: EditedPolicy, modes: PolicyModes): EditedPolicy {
  const { mtls, portLevelMtls, ...spec } = specOf(manifest);
  const byPort = isJsonObject(portLevelMtls) ? portLevelMtls : {};
  const ports = Array.from(modes.ports, ([port, mode]) => {
    return [`${port}`, withMode(byPort[`${port}`], mode)] as const;
  });
  const written = {
    ...spec,
    ...((mtls !== undefined || modes.mode !== "UNSET") && { mtls: withMode(mtls, modes.mode) }),
    ...(ports.length > 0 && { portLevelMtls: Object.fromEntries(ports) }),
  };
  return {
    object: { ...object, mode: modes.mode, ports: new Map(modes.ports) },
    manifest: { ...manifest, spec: sorted(written) },
  };
}

/** One that has been read before: what is no object says nothing. */
export function manifestOf(json: string): JsonObject {
  const manifest: unknown = JSON.parse(json);
  return isJsonObject(manifest) ? manifest : {};
}

/** Of a manifest that has been read before: what is none of the modes says nothing. */
export function modesIn(manifest: JsonObject): PolicyModes {
  const { mtls, portLevelMtls } = specOf(manifest);
  const byPort = isJsonObject(portLevelMtls) ? Object.entries(portLevelMtls) : [];
  const ports = byPort.map(([port, each]) => [Number(port), modeIn(each)] as const);
  return { mode: modeIn(mtls), ports: new Map(ports) };
}

/** The same text for what says the same, whenever it was created. */
export function contentOf({ metadata, ...manifest }: JsonObject): string {
  const { creationTimestamp: _, ...kept } = isJsonObject(metadata) ? metadata : {};
  return JSON.stringify({ ...manifest, metadata: kept });
}

const modes: readonly PeerMode[] = ["UNSET", "DISABLE", "PERMISSIVE", "STRICT"];

function modeIn(mtls: unknown): PeerMode {
  const written = isJsonObject(mtls) ? mtls["mode"] : undefined;
  return modes.find((each) => each === written) ?? "UNSET";
}

/** What says nothing stays as it is written. */
function withMode(mtls: unknown, mode: PeerMode): unknown {
  if (mtls !== undefined && modeIn(mtls) === mode) return mtls;
  return { ...(isJsonObject(mtls) && mtls), mode };
}

function specOf({ spec }: JsonObject): JsonObject {
  return isJsonObject(spec) ? spec : {};
}

function sorted(map: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
