/** The admission webhook before a real API server: a writer as kubectl is one, and a trust that a test rotates. */

import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { pino } from "pino";
import { Registry } from "prom-client";
import { AdmissionregistrationV1Api, RbacAuthorizationV1Api } from "@kubernetes/client-node";
import { ClusterEdits } from "../../src/app/server/kube/writes/cluster-edits.ts";
import { GuardJudge } from "../../src/app/server/kube/guard/guard-judge.ts";
import { serveGuard, type OpenedGuard } from "../../src/app/server/kube/guard/serve-guard.ts";
import { followTold } from "../../src/app/server/kube/guard/told-changes.ts";
import { RecentChanges } from "../../src/core/kube/guard/recent-changes.ts";
import { KubeConnection } from "../../src/edge/kube/kube-connection.ts";
import type { TestAuthority } from "../support/authority.ts";
import { SaidConfiguration, SaidEvidence, type PeerObject } from "../support/guard-rig.ts";
import { issueServingCertificate } from "../support/serving.ts";
import { TurningTrust } from "../support/turning-trust.ts";
import { OurAccount } from "./access.ts";
import type { Cluster } from "./cluster.ts";
import type { ObjectRef } from "./objects.ts";

export const configurationName = "portcullis-guard";

export interface GuardScene extends AsyncDisposable {
  readonly guard: OpenedGuard;
  readonly evidence: SaidEvidence;
  readonly known: SaidConfiguration;
  readonly waived: Set<string>;
  readonly trust: TurningTrust;
  readonly log: string[];
  readonly registry: Registry;
  /** The server's. */
  readonly ours: OurAccount;
  /** As flips write. */
  readonly edits: ClusterEdits;
  close(): Promise<void>;
}

export interface GuardSceneOptions {
  readonly mode: "warn" | "enforce";
  readonly active: TestAuthority;
  readonly notReady?: () => string | undefined;
  /** As the trust Secret has it. */
  readonly trustSecret?: { areRootsCurrent: boolean };
}

/** One at a time for each cluster: it has the one configuration. */
export async function openScene(
  cluster: Cluster,
  { mode, active, notReady = () => undefined, trustSecret }: GuardSceneOptions,
): Promise<GuardScene> {
  await using owned = new AsyncDisposableStack();
  const resourceNames = [configurationName];
  const resources = ["validatingwebhookconfigurations"];
  const apiGroups = ["admissionregistration.k8s.io"];
  const rules = [{ apiGroups, resources, resourceNames, verbs: ["get", "patch"] }];
  const ours = owned.use(await OurAccount.make(cluster, rules));
  const connection = owned.use(new KubeConnection({ access: ours.access }));
  const nowMs = (): number => Date.now();
  const evidence = new SaidEvidence(nowMs);
  const known = owned.use(new SaidConfiguration());
  const waived = new Set<string>();
  const trust = new TurningTrust(active);
  const log: string[] = [];
  const registry = new Registry();
  const recent = new RecentChanges();
  owned.use(followTold(known.set, recent));
  const judge = new GuardJudge({
    questions: evidence.questions,
    configuration: known.configuration,
    waivers: { of: () => [], namesOf: () => waived },
    absenceOf: () => undefined,
    hasListeners: () => true,
    holds: () => [],
    namespacesOfProxies: () => [],
    recent,
    lookBackMs: () => 7 * 86_400_000,
    nowMs,
  });
  const ending = new AbortController();
  owned.defer(() => ending.abort());
  const edits = new ClusterEdits({ connection, set: known.set, signal: ending.signal });
  const guardOwned = new AsyncDisposableStack();
  owned.use(guardOwned);
  const guard = await serveGuard(
    {
      log: pino({ level: "info" }, { write: (line) => void log.push(line) }),
      metrics: { registry },
      trust,
      trustSecret,
      issueServing: (names) =>
        Promise.resolve(issueServingCertificate(trust.current, names, nowMs())),
    },
    {
      mode,
      judge,
      configuration: known.configuration,
      notReady,
      recent,
      isWriting: (...edit) => edits.isWriting(...edit),
      connection,
      namespace: ours.account.namespace,
      listen: { host: "127.0.0.1", port: 0 },
      clusterDomain: "cluster.local",
      nowMs,
      timings: { settleMs: 1_000, lookMs: 100 },
    },
    guardOwned,
  );
  const all = owned.move();
  return {
    guard,
    evidence,
    known,
    waived,
    trust,
    log,
    registry,
    ours,
    edits,
    close: () => guardOwned.disposeAsync(),
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

/** As an operator registers it, by its address. */
export async function register(
  cluster: Cluster,
  { url }: Pick<OpenedGuard, "url">,
  failurePolicy: "Fail" | "Ignore",
): Promise<void> {
  const api = cluster.kubeConfig().makeApiClient(AdmissionregistrationV1Api);
  const rules = [
    {
      apiGroups: ["security.istio.io"],
      apiVersions: ["v1", "v1beta1"],
      operations: ["CREATE", "UPDATE", "DELETE"],
      resources: ["peerauthentications"],
      scope: "Namespaced",
    },
  ];
  const webhook = {
    name: "guard.portcullis.io",
    admissionReviewVersions: ["v1"],
    clientConfig: { url },
    failurePolicy,
    matchPolicy: "Equivalent",
    sideEffects: "None",
    timeoutSeconds: 5,
    rules,
  };
  await api.createValidatingWebhookConfiguration({
    body: { metadata: { name: configurationName }, webhooks: [webhook] },
  });
}

export async function unregister(cluster: Cluster): Promise<void> {
  const api = cluster.kubeConfig().makeApiClient(AdmissionregistrationV1Api);
  await api.deleteValidatingWebhookConfiguration({ name: configurationName });
}

export async function caBundleOf(cluster: Cluster): Promise<string> {
  const api = cluster.kubeConfig().makeApiClient(AdmissionregistrationV1Api);
  const { webhooks } = await api.readValidatingWebhookConfiguration({ name: configurationName });
  const own = webhooks?.find(({ name }) => name === "guard.portcullis.io");
  return own?.clientConfig.caBundle ?? "";
}

export interface Written {
  readonly status: number;
  readonly message: string;
  readonly warnings: readonly string[];
}

/** Somebody who may write all of Istio's objects: what the API server says is what kubectl shows. */
export class Writer {
  readonly #cluster: Cluster;
  readonly #token: string;

  static async make(cluster: Cluster, account: ObjectRef): Promise<Writer> {
    const rbac = cluster.kubeConfig().makeApiClient(RbacAuthorizationV1Api);
    const metadata = { name: `${account.namespace}-${account.name}` };
    const apiGroups = ["security.istio.io"];
    const rules = [{ apiGroups, resources: ["peerauthentications"], verbs: ["*"] }];
    await rbac.createClusterRole({ body: { metadata, rules } });
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", ...metadata };
    const { namespace, name } = account;
    const subjects = [{ kind: "ServiceAccount", namespace, name }];
    await rbac.createClusterRoleBinding({ body: { metadata, roleRef, subjects } });
    return new Writer(cluster, await cluster.tokenOf(account));
  }

  private constructor(cluster: Cluster, token: string) {
    this.#cluster = cluster;
    this.#token = token;
  }

  async create(object: PeerObject, query = ""): Promise<Written> {
    const { namespace } = object.metadata;
    const path = `/apis/${object.apiVersion}/namespaces/${namespace}/peerauthentications${query}`;
    return await this.#send("POST", path, object);
  }

  /** All of its spec. */
  async update({ metadata, apiVersion, spec }: PeerObject): Promise<Written> {
    const { namespace, name } = metadata;
    const path = `/apis/${apiVersion}/namespaces/${namespace}/peerauthentications/${name}`;
    return await this.#send("PATCH", path, [{ op: "replace", path: "/spec", value: spec }]);
  }

  async delete(at: string): Promise<Written> {
    const [namespace, name] = at.split("/");
    const path = `/apis/security.istio.io/v1/namespaces/${namespace}/peerauthentications/${name}`;
    return await this.#send("DELETE", path, undefined);
  }

  async #send(method: string, path: string, body: unknown): Promise<Written> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const type = method === "PATCH" ? "application/json-patch+json" : "application/json";
    const headers = { authorization: `Bearer ${this.#token}`, "content-type": type };
    const { caPem: ca, url } = this.#cluster;
    const asked = request(new URL(path, url), { method, ca, headers }, resolve);
    asked.once("error", reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
    const answer = await promise;
    const chunks: Uint8Array[] = [];
    for await (const chunk of answer) chunks.push(chunk);
    const said: unknown = JSON.parse(Buffer.concat(chunks).toString());
    const { message = "" } = said as { readonly message?: string };
    // RFC 7234 5.5: `299 - "TEXT"`, several in one line.
    const texts = (answer.headersDistinct["warning"] ?? [])
      .join(", ")
      .matchAll(/299 - "((?:[^"\\]|\\.)*)"/g);
    const warnings = Array.from(texts, ([, text = ""]) => text);
    return { status: answer.statusCode ?? 0, message, warnings };
  }
}
