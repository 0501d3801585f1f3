/** The admission webhook: what the server is set to do, what the API server is told of it, and whether these are of one mind. */

import { guardConfiguration } from "../kube/own-names.ts";
import { critical, ok, orOk, someOf, warning, type Said } from "./finding.ts";

export interface WebhookFacts {
  readonly mode: "off" | "warn" | "enforce";
  /** SHA-256 of the trust bundle's roots, in hex. */
  readonly roots: readonly string[];
  /** Undefined: there is none. */
  readonly configuration: readonly WebhookEntry[] | undefined;
  /** What its port shows; undefined where that is not known. */
  readonly shown: ShownCertificate | undefined;
}

export interface WebhookEntry {
  readonly name: string;
  /** SHA-256 of each certificate of its `caBundle`; undefined where that cannot be read. */
  readonly roots: readonly string[] | undefined;
  readonly isFailing: boolean;
  /** The name by which it is called: a service's, or a URL's host. */
  readonly host: string;
}

export interface ShownCertificate {
  readonly names: readonly string[];
}

const look = `kubectl get validatingwebhookconfiguration ${guardConfiguration} -o yaml`;

export function checkWebhook(facts: WebhookFacts): readonly Said[] {
  const { mode, configuration } = facts;
  if (configuration === undefined) return [withoutOne(mode)];
  if (mode === "off") return [withoutServer(configuration)];
  const found = configuration.flatMap((entry) => [
    ...policyOf(mode, entry),
    ...rootsOf(facts, entry),
    ...namesOf(facts, entry),
  ]);
  if (configuration.length === 0) {
    found.push(warning(`${guardConfiguration} has no webhooks: nothing is looked at`, install));
  }
  return orOk(found, `${guardConfiguration} asks this server, and believes it`);
}

const install = "install it again: helm with guard.mode, or deploy/kubernetes/guard.yaml";

function withoutOne(mode: WebhookFacts["mode"]): Said {
  if (mode === "off") return ok("the guard is off, and the API server asks nobody");
  const finding = `the guard is on (${mode}), and there is no ${guardConfiguration}: nothing is looked at`;
  return (mode === "enforce" ? critical : warning)(finding, install);
}

function withoutServer(configuration: readonly WebhookEntry[]): Said {
  const blocks = configuration.some(({ isFailing }) => isFailing);
  const what = blocks ? "PeerAuthentications cannot be changed" : "each change waits in vain";
  const finding = `the guard is off, and ${guardConfiguration} asks it: ${what}`;
  const hint = `kubectl delete validatingwebhookconfiguration ${guardConfiguration}, or give --guard`;
  return (blocks ? critical : warning)(finding, hint);
}

function policyOf(mode: "warn" | "enforce", { name, isFailing }: WebhookEntry): readonly Said[] {
  if (mode === "enforce" && !isFailing) {
    const finding = `${name}: failurePolicy is Ignore: while the server is away each change passes`;
    return [warning(finding, "failurePolicy: Fail goes with --guard enforce")];
  }
  if (mode === "warn" && isFailing) {
    const finding = `${name}: failurePolicy is Fail: while the server is away no change passes`;
    return [warning(finding, "failurePolicy: Ignore goes with --guard warn")];
  }
  return [];
}

function rootsOf(
  { roots: ours }: WebhookFacts,
  { name, roots, isFailing }: WebhookEntry,
): readonly Said[] {
  const hint = `the server mends it within seconds, if it may: portcullis status, ${look}`;
  if (roots === undefined || !ours.some((each) => roots.includes(each))) {
    const what = isFailing ? "no change passes" : "each change passes unseen";
    return [critical(`${name}: caBundle has none of the mesh's roots: ${what}`, hint)];
  }
  const missing = ours.filter((each) => !roots.includes(each));
  const foreign = roots.filter((each) => !ours.includes(each));
  return [
    ...(missing.length === 0
      ? []
      : [warning(`${name}: caBundle is without ${shortOf(missing)} of the mesh's roots`, hint)]),
    ...(foreign.length === 0
      ? []
      : [warning(`${name}: caBundle has ${shortOf(foreign)}, which is no root of the mesh`, hint)]),
  ];
}

function shortOf(roots: readonly string[]): string {
  return someOf(roots.map((each) => each.slice(0, 16)));
}

function namesOf({ shown }: WebhookFacts, { name, host }: WebhookEntry): readonly Said[] {
  if (shown === undefined || shown.names.includes(host)) return [];
  const finding = `${name}: called as ${host}, and its certificate is for ${someOf(shown.names)}`;
  return [critical(finding, "does --kube-namespace name the server's own namespace?")];
}
