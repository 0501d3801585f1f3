/** Who may do what, asked of a real API server for every resource that it has: one SubjectAccessReview for each verb, place and name. */

import type { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import { ownNamespace } from "./chart.ts";

export interface Probe {
  readonly group: string;
  /** With its subresource. */
  readonly resource: string;
  readonly verb: string;
  /** "" is the cluster, or all namespaces. */
  readonly namespace: string;
  /** "" is any. */
  readonly name: string;
}

const verbs = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];
const namespaces = ["", ownNamespace, "kube-system"];

/** What no list of resources has, and what would be worth most. */
const more: readonly (readonly [group: string, resource: string, verbs: readonly string[]])[] = [
  ["", "users", ["impersonate"]],
  ["", "groups", ["impersonate"]],
  ["", "serviceaccounts", ["impersonate"]],
  ["authentication.k8s.io", "uids", ["impersonate"]],
  ["authentication.k8s.io", "userextras/scopes", ["impersonate"]],
  ["rbac.authorization.k8s.io", "clusterroles", ["bind", "escalate"]],
  ["rbac.authorization.k8s.io", "roles", ["bind", "escalate"]],
  ["certificates.k8s.io", "signers", ["approve", "sign", "attest"]],
  ["", "nodes/proxy", verbs],
  ["", "nodes/exec", verbs],
  ["portcullis.io", "roots", ["get", "activate", "rotate"]],
  ["portcullis.io", "mtls", ["get", "flip"]],
  ["*", "*", ["*"]],
];

/** @param names the server's own, by resource: asked for beside any name */
export async function probesOf(
  connection: KubeConnection,
  names: Readonly<Record<string, readonly string[]>>,
): Promise<readonly Probe[]> {
  const listed = (await resourcesOf(connection)).map(
    ([group, resource]) => [group, resource, verbs] as const,
  );
  return [...listed, ...more].flatMap(([group, resource, verbs]) => {
    const asked = ["", ...(names[resource] ?? [])];
    return verbs.flatMap((verb) =>
      namespaces.flatMap((namespace) =>
        asked.map((name) => ({ group, resource, verb, namespace, name })),
      ),
    );
  });
}

interface ResourceList {
  readonly resources: readonly { readonly name: string }[];
}

/** All of all groups and versions, subresources as well. */
async function resourcesOf(connection: KubeConnection): Promise<readonly [string, string][]> {
  const listOf = async (path: string): Promise<readonly string[]> => {
    const { resources } = (await connection.send({ path })) as ResourceList;
    return resources.map(({ name }) => name);
  };
  const found = new Map<string, [string, string]>();
  const add = (group: string, names: readonly string[]): void => {
    for (const name of names) found.set(`${group}/${name}`, [group, name]);
  };
  add("", await listOf("/api/v1"));
  const { groups } = (await connection.send({ path: "/apis" })) as {
    groups: { name: string; versions: { groupVersion: string }[] }[];
  };
  for (const { name, versions } of groups) {
    for (const { groupVersion } of versions) add(name, await listOf(`/apis/${groupVersion}`));
  }
  return [...found.values()];
}

/** @returns those that `account` of our namespace may do, as `wordsOf` */
export async function allowedOf(
  connection: KubeConnection,
  account: string,
  probes: readonly Probe[],
): Promise<ReadonlySet<string>> {
  const answers = await inGroups(probes, async (probe) =>
    (await isAllowed(connection, account, { resourceAttributes: probeAttributes(probe) }))
      ? [wordsOf(probe)]
      : [],
  );
  return new Set(answers.flat());
}

/** @param attributes of the review's `spec`: a resource or a path; and another user, if it is not an account's */
export async function isAllowed(
  connection: KubeConnection,
  account: string,
  attributes: Readonly<Record<string, unknown>>,
): Promise<boolean> {
  const answer = await connection.send({
    method: "POST",
    path: "/apis/authorization.k8s.io/v1/subjectaccessreviews",
    isRepeatable: true,
    body: {
      apiVersion: "authorization.k8s.io/v1",
      kind: "SubjectAccessReview",
      spec: {
        user: `system:serviceaccount:${ownNamespace}:${account}`,
        groups: [
          "system:serviceaccounts",
          `system:serviceaccounts:${ownNamespace}`,
          "system:authenticated",
        ],
        ...attributes,
      },
    },
  });
  return (answer as { status: { allowed: boolean } }).status.allowed;
}

export function wordsOf({ group, resource, verb, namespace, name }: Probe): string {
  return `${verb} ${group}/${resource} in ${namespace || "all"}${name && ` by ${name}`}`;
}

export function probeAttributes({ group, resource, verb, namespace, name }: Probe): object {
  const [plural, subresource] = resource.split("/");
  const of = { group, resource: plural, verb, namespace, name };
  return subresource === undefined ? of : { ...of, subresource };
}

/** Some at a time, so that none waits for longer than it may. */
async function inGroups<T, R>(all: readonly T[], ask: (each: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (let start = 0; start < all.length; start += 64) {
    answers.push(...(await Promise.all(all.slice(start, start + 64).map(ask))));
  }
  return answers;
}
