/** The API server itself: its version, its clock, as whom it knows us, which kinds it serves, and whose tokens it issues. */

import type { KindFact } from "../../../core/doctor/check-kinds.ts";
import type { ClockReading } from "../../../core/doctor/check-times.ts";
import type { ApiServerFacts } from "../../../core/doctor/check-versions.ts";
import type { PublishedTokens } from "../../../core/doctor/cluster-facts.ts";
import type { JsonObject } from "../../../core/identity/json-object.ts";
import type { KubeConnection } from "../kube-connection.ts";
import { KubeError } from "../kube-error.ts";
import { policyKinds } from "../read/read-policy-objects.ts";
import { objectOf, objectsOf, textOf } from "../read/raw-object.ts";

export interface Asker {
  readonly connection: Pick<KubeConnection, "send">;
  readonly signal: AbortSignal;
}

/** Each signed request of ours is authorized and answered: it lives. @throws KubeError */
export async function readApiServer({ connection, signal }: Asker): Promise<ApiServerFacts> {
  const version = objectOf(await connection.send({ path: "/version", signal }));
  return { version: textOf(version["gitVersion"]) };
}

export interface OwnReview {
  readonly user: string;
  readonly clock: ClockReading;
}

/**
 * Who we are (SelfSubjectReview, which anybody may ask for), and when that was: the API server dates its answer, to the second.
 * @throws KubeError
 */
export async function readOwnReview(
  { connection, signal }: Asker,
  nowMs: () => number,
): Promise<OwnReview> {
  const path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
  const body = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
  const sentMs = nowMs();
  const request = { method: "POST", path, body, isRepeatable: true, signal } as const;
  const answer = objectOf(await connection.send(request));
  const heardMs = nowMs();
  const saidMs = Date.parse(textOf(objectOf(answer["metadata"])["creationTimestamp"]));
  const user = textOf(objectOf(objectOf(answer["status"])["userInfo"])["username"]);
  if (Number.isNaN(saidMs) || user === "") {
    throw new KubeError("kube-answer", `POST ${path}: expected a user and a time, got neither`);
  }
  const aheadMs = saidMs + 500 - (sentMs + heardMs) / 2;
  return {
    user,
    clock: { whose: "the API server", aheadMs, errorMs: 500 + (heardMs - sentMs) / 2 },
  };
}

/** @throws KubeError */
export async function readKinds(asker: Asker): Promise<readonly KindFact[]> {
  const groups = new Set(policyKinds.map(({ path }) => groupOf(path)));
  const served = new Map<string, ReadonlySet<string>>();
  const versions = new Map<string, readonly string[]>();
  for (const group of groups) {
    const known = await versionsOf(asker, group);
    versions.set(group, known);
    for (const version of known) {
      const at = `${group}/${version}`;
      const { resources } = objectOf(await find(asker, `/apis/${at}`));
      served.set(at, new Set(objectsOf(resources).map(({ kind }) => textOf(kind))));
    }
  }
  return policyKinds.map(({ kind, path }) => {
    const group = groupOf(path);
    const all = versions.get(group) ?? [];
    return {
      kind,
      group,
      versions: all.filter((each) => served.get(`${group}/${each}`)?.has(kind)),
    };
  });
}

/** @throws KubeError */
export async function readTokens({ connection, signal }: Asker): Promise<PublishedTokens> {
  const [document, set] = await Promise.all([
    connection.send({ path: "/.well-known/openid-configuration", signal }),
    connection.send({ path: "/openid/v1/jwks", signal }),
  ]);
  const published = textOf(objectOf(document)["issuer"]);
  return { published, keys: objectsOf(objectOf(set)["keys"]).length };
}

function groupOf(path: string): string {
  return path.split("/")[2] ?? "";
}

async function versionsOf(asker: Asker, group: string): Promise<readonly string[]> {
  const { versions } = objectOf(await find(asker, `/apis/${group}`));
  return objectsOf(versions).map(({ version }) => textOf(version));
}

/** @returns undefined where there is none */
async function find({ connection, signal }: Asker, path: string): Promise<JsonObject | undefined> {
  try {
    return objectOf(await connection.send({ path, signal }));
  } catch (error) {
    if (error instanceof KubeError && error.code === "kube-not-found") return undefined;
    throw error;
  }
}
