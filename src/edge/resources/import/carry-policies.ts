/**
 * Policies of Istio 1.0 -> PeerAuthentications. They were about services, and the first of a service's policies counted; these are about
 * workloads, and the oldest counts alone: so those of one set of workloads become one. Pure.
 */

import { nameKey, type ResourceName } from "../../../core/resources/resource.ts";
import type { Json, Manifest, ManifestMetadata } from "../manifest.ts";
import type { AlphaPolicy, AlphaTarget } from "./alpha-policy.ts";
import { portMap, portsOf, type Explained, type Lose } from "./carry-ports.ts";
import type { KnownServices } from "./known-services.ts";

export interface FoundPolicy extends AlphaPolicy {
  readonly name: ResourceName;
  readonly metadata: ManifestMetadata;
  readonly createdMs: number | undefined;
  readonly origin: string;
  /** Of which it is the only one. */
  readonly isMesh: boolean;
}

export interface Carried {
  readonly manifest: Manifest;
  /** Where what it was made of stands. */
  readonly from: readonly string[];
}

/** @param policies the first of a level counts, as in Istio 1.0 */
export function carryPolicies(
  policies: readonly FoundPolicy[],
  services: KnownServices,
  rootNamespace: string,
  lose: Lose,
): readonly Carried[] {
  const taken = policies.filter((policy) => isOfToday(policy, rootNamespace, lose));
  const wide = taken.filter(({ targets }) => targets.length === 0);
  const narrow = taken.filter(({ targets }) => targets.length > 0);
  const groups = Map.groupBy(
    narrow.flatMap((policy) =>
      policy.targets.map((target) => explained(policy, target, services, lose)),
    ),
    ({ policy, service }) => JSON.stringify([policy.name.namespace, ...sorted(service.selector)]),
  );
  return [
    ...[...Map.groupBy(wide, scopeOf).values()].map((all) => carryWide(all, rootNamespace, lose)),
    ...uniquelyNamed([...groups.values()].map((all) => carryNarrow(all, lose))),
  ];
}

/** What is of the root namespace says something else today, or nothing. */
function isOfToday(
  { isMesh, name, origin, targets }: FoundPolicy,
  rootNamespace: string,
  lose: Lose,
): boolean {
  if (isMesh && targets.length > 0) {
    lose(origin, "left out: a MeshPolicy has no targets, and Istio 1.0 refused it");
    return false;
  }
  if (isMesh || name.namespace !== rootNamespace) return true;
  const what = targets.length > 0 ? "ignored, and only a namespace's own may select" : "the mesh's";
  lose(origin, `left out: in the root namespace ${rootNamespace} it would today be ${what}`);
  return false;
}

function scopeOf({ isMesh, name }: FoundPolicy): string {
  return isMesh ? "" : name.namespace;
}

function carryWide(all: readonly FoundPolicy[], rootNamespace: string, lose: Lose): Carried {
  const [first, ...others] = all as readonly [FoundPolicy, ...FoundPolicy[]];
  for (const { origin } of others) lose(origin, `another one of its scope counts: ${first.origin}`);
  const { isMesh, metadata, mode, origin, name } = first;
  const namespace = isMesh ? rootNamespace : name.namespace;
  return carried({ ...metadata, namespace }, { mtls: { mode } }, [origin]);
}

interface OfPolicy extends Explained {
  readonly policy: FoundPolicy;
}

function explained(
  policy: FoundPolicy,
  target: AlphaTarget,
  services: KnownServices,
  lose: Lose,
): OfPolicy {
  const { namespace } = policy.name;
  const known = services.find(namespace, target.service);
  if (known !== undefined) return { policy, target, service: known, origin: policy.origin };
  const what = `service ${target.service} of ${namespace} is not among the input`;
  lose(
    policy.origin,
    `${what}: assumed that it selects app: ${target.service}, with its ports' own numbers`,
  );
  const service = { selector: new Map([["app", target.service]]), ports: [] };
  return { policy, target, service, origin: policy.origin };
}

/** Of the same workloads. */
function carryNarrow(all: readonly OfPolicy[], lose: Lose): Carried {
  const [{ policy, service }] = all as readonly [OfPolicy, ...OfPolicy[]];
  const isShared = new Set(all.map(({ target }) => target.service)).size > 1;
  let mode: string | undefined;
  const ports = new Map<number, string>();
  for (const each of all) {
    const { target, policy: of } = each;
    const isWhole = target.ports.length === 0 && !(isShared && each.service.ports.length > 0);
    if (mode !== undefined)
      lose(of.origin, `for ${target.service} ${policy.origin} counts already`);
    else if (isWhole) mode = of.mode;
    else for (const port of portsOf(each, lose)) if (!ports.has(port)) ports.set(port, of.mode);
  }
  const { name } = policy.name;
  const isOne = all.length === 1 && policy.targets.length === 1;
  const named = isOne ? name : `${name}-${all[0]?.target.service}`;
  const spec = {
    selector: { matchLabels: Object.fromEntries(sorted(service.selector)) },
    ...(mode !== undefined && { mtls: { mode } }),
    ...(ports.size > 0 && { portLevelMtls: portMap(ports) }),
  };
  const origins = [...new Set(all.map(({ policy: { origin } }) => origin))];
  return carried({ ...policy.metadata, name: named }, spec, origins);
}

function carried(metadata: ManifestMetadata, spec: Json, from: readonly string[]): Carried {
  const apiVersion = "security.istio.io/v1";
  return { manifest: { apiVersion, kind: "PeerAuthentication", metadata, spec }, from };
}

/** Of two of one name, the second one gets a number. */
function uniquelyNamed(all: readonly Carried[]): readonly Carried[] {
  const counts = new Map<string, number>();
  return all.map((each) => {
    const { namespace, name } = each.manifest.metadata;
    const key = nameKey({ namespace, name });
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    if (count === 1) return each;
    const metadata = { ...each.manifest.metadata, name: `${name}-${count}` };
    return { ...each, manifest: { ...each.manifest, metadata } };
  });
}

function sorted(labels: ReadonlyMap<string, string>): readonly (readonly [string, string])[] {
  return [...labels].toSorted(([a], [b]) => (a < b ? -1 : 1));
}
