/** What a cluster has of a server: its webhook's configuration, the ConfigMaps with its roots, its settings, and its Lease. */

import type { BundleMapFacts } from "../../../core/doctor/check-cluster.ts";
import type { WebhookEntry } from "../../../core/doctor/check-webhook.ts";
import type { JsonObject } from "../../../core/identity/json-object.ts";
import { guardConfiguration, rootsKey } from "../../../core/kube/own-names.ts";
import { isServed, planMap, type BundleMap } from "../../../core/kube/writes/bundle-map.ts";
import type { KubeObject } from "../../../core/kube/kube-object.ts";
import { rootSha256 } from "../../../core/spiffe/roots-digest.ts";
import { parsePem } from "../../../core/x509/pem.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { KubeError } from "../kube-error.ts";
import { namespaces } from "../read/read-identities.ts";
import { objectOf, textOf } from "../read/raw-object.ts";
import { LeaseObject } from "../trust/lease-object.ts";
import { findOwnWebhook } from "../webhook-configuration.ts";
import { ListPages } from "../watch/list-pages.ts";
import type { WatchedKind } from "../watch/reflector-options.ts";
import { fieldManager } from "../write/objects.ts";
import { bundleMaps, textSha256 } from "../write/bundle-config-map.ts";

export interface InstalledAsker {
  readonly connection: KubeConnection;
  readonly signal: AbortSignal;
}

const rootsMax = 64;

/** @returns undefined where there is none. @throws KubeError */
export async function readWebhook({
  connection,
  signal,
}: InstalledAsker): Promise<readonly WebhookEntry[] | undefined> {
  const found = await findOwnWebhook(connection, guardConfiguration, { signal });
  return found && (found.own === undefined ? [] : [webhookEntry(found.own)]);
}

function webhookEntry(raw: JsonObject): WebhookEntry {
  const { caBundle, service, url } = objectOf(raw["clientConfig"]);
  const { name, namespace } = objectOf(service);
  const host = URL.parse(textOf(url))?.hostname ?? `${textOf(name)}.${textOf(namespace)}.svc`;
  return {
    name: textOf(raw["name"]),
    roots: rootsIn(Buffer.from(textOf(caBundle), "base64").toString("utf8")),
    // The default of v1.
    isFailing: raw["failurePolicy"] !== "Ignore",
    host,
  };
}

/** @returns undefined for what is no PEM */
function rootsIn(pem: string): readonly string[] | undefined {
  try {
    return parsePem(pem, "CERTIFICATE", { blocksMax: rootsMax }).map(rootSha256);
  } catch {
    return undefined;
  }
}

const pageMax = 500;

/** @param wantedSha256 of the text that each is to have. @throws KubeError */
export async function readBundleMaps(
  asker: InstalledAsker,
  name: string,
  wantedSha256: string,
): Promise<BundleMapFacts> {
  const [all, maps] = await Promise.all([
    listAll(asker, namespaces),
    listAll(asker, bundleMaps(name)),
  ]);
  const mapOf = new Map<string, BundleMap>(maps.map((each) => [each.namespace, each]));
  const served = all.filter(isServed);
  const behind = served.filter((namespace) => {
    return planMap(namespace, mapOf.get(namespace.name), wantedSha256) !== "none";
  });
  const rivals = new Map<string, number>();
  for (const { name: namespace } of behind) {
    const map = mapOf.get(namespace);
    if (map === undefined || map.manager === fieldManager || map.rootsSha256 === wantedSha256)
      continue;
    rivals.set(map.manager, (rivals.get(map.manager) ?? 0) + 1);
  }
  const names = behind.map((each) => each.name);
  return { name, total: served.length, behind: behind.length, names, rivals, failing: [] };
}

async function listAll<T extends KubeObject>(
  { connection, signal }: InstalledAsker,
  kind: WatchedKind<T>,
): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const page of new ListPages(connection, kind, pageMax).read(signal)) {
    found.push(...page.flatMap((raw) => kind.parse(raw) ?? []));
  }
  return found;
}

export interface OwnRoots {
  /** SHA-256 of each, in hex. */
  readonly roots: readonly string[];
  /** Of the text. */
  readonly sha256: string;
}

/** As the server has written them into its own namespace. @throws KubeError */
export async function readOwnRoots(
  { connection, signal }: InstalledAsker,
  namespace: string,
  name: string,
): Promise<OwnRoots> {
  const path = `/api/v1/namespaces/${namespace}/configmaps/${name}`;
  const { data } = objectOf(await connection.send({ path, signal }));
  const pem = textOf(objectOf(data)[rootsKey]);
  const roots = rootsIn(pem);
  if (roots !== undefined) return { roots, sha256: textSha256(pem) };
  throw new KubeError("kube-answer", `ConfigMap ${namespace}/${name}: expected certificates`);
}

/** The configuration that the server's pod mounts. @throws KubeError */
export async function readServerText(
  { connection, signal }: InstalledAsker,
  namespace: string,
): Promise<string> {
  const path = `/api/v1/namespaces/${namespace}/configmaps/portcullis`;
  const { data } = objectOf(await connection.send({ path, signal }));
  const text = textOf(objectOf(data)["server.yaml"]);
  if (text !== "") return text;
  throw new KubeError("kube-answer", `ConfigMap ${namespace}/portcullis: expected server.yaml`);
}

const leaseDeadlineMs = 5_000;
/** Clocks differ, and nobody is hurt by a word too few. */
const leaseGraceMs = 30_000;

/** @returns "" where nobody has it. @throws KubeError */
export async function readHolder(
  { connection, signal }: InstalledAsker,
  namespace: string,
  name: string,
  nowMs: number,
): Promise<string> {
  const object = new LeaseObject(connection, namespace, name, leaseDeadlineMs);
  const { lease } = await object.read(signal);
  if (lease === undefined) return "";
  const isOver = nowMs > lease.renewedMs + lease.durationMs + leaseGraceMs;
  return isOver ? "" : lease.holder;
}
