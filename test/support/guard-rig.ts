/** The admission webhook with a configuration and evidence that a test says: the shop, its API, and who calls it. */

import type { AddressSpan } from "../../src/core/evidence/address-history.ts";
import type { MemberSpan } from "../../src/core/evidence/member.ts";
import type { StoredMember, StoredSeen } from "../../src/edge/evidence/evidence-question.ts";
import { parseManifests } from "../../src/edge/resources/parse-manifests.ts";
import {
  notRecorded,
  type EvidenceQuestions,
} from "../../src/app/server/flips/evidence-questions.ts";
import { FlipConfiguration } from "../../src/app/server/flips/flip-configuration.ts";
import { ResourceSet } from "../../src/app/server/policy/resources/resource-set.ts";
import { storedObject } from "../../src/app/server/policy/resources/stored-object.ts";
import { selects } from "../../src/core/policy/labels.ts";

const dayMs = 86_400_000;
export const guardPort = 8080;

/** What is recorded, as a test says it. */
export class SaidEvidence {
  readonly nowMs: () => number;
  members: StoredMember[] = [];
  readonly seen: StoredSeen[] = [];
  readonly addresses: AddressSpan[] = [];
  readonly silent: Set<string> = new Set();

  constructor(nowMs: () => number) {
    this.nowMs = nowMs;
  }

  /** A proxy that has told of all of its time. @param ports on which it listens */
  proxy(
    name: string,
    labels: Readonly<Record<string, string>>,
    ports: readonly number[] = [guardPort],
  ): void {
    const [namespace = ""] = name.split("/");
    this.members.push({
      key: name,
      proxy: name,
      name,
      spiffeId: `spiffe://td/ns/${namespace}/sa/any`,
      labels: new Map(Object.entries(labels)),
      bornMs: this.nowMs() - 30 * dayMs,
      goneMs: undefined,
      ports,
    });
  }

  /** Without mTLS. @param caller `NAMESPACE/NAME` */
  called(member: string, caller: string, address = "10.9.0.1"): void {
    const atMs = this.nowMs() - 60_000;
    this.addresses.push({ address, name: caller, isMeshed: false, sinceMs: 0, untilMs: undefined });
    const source = { kind: "address", address } as const;
    const what = { port: guardPort, kind: "plaintext", isRefused: false, source } as const;
    const times = { firstMs: atMs, lastMs: atMs, everFirstMs: atMs };
    this.seen.push({ ...what, ...times, member, count: 3, claim: "" });
  }

  get questions(): EvidenceQuestions {
    return {
      ...notRecorded,
      membersOf: (namespace, selector) =>
        Promise.resolve(
          this.members.filter(
            ({ name, labels }) => name.startsWith(`${namespace}/`) && selects(selector, labels),
          ),
        ),
      seen: (keys) => Promise.resolve(this.seen.filter(({ member }) => keys.includes(member))),
      spans: (keys) =>
        Promise.resolve(keys.filter((key) => !this.silent.has(key)).map((key) => this.#span(key))),
      holders: (addresses) =>
        Promise.resolve(this.addresses.filter(({ address }) => addresses.includes(address))),
    };
  }

  #span(member: string): MemberSpan {
    const sinceMs = this.nowMs() - 30 * dayMs;
    const lost = { lostUnmeshed: 0, lostMeshed: 0, openUnnamed: 0 };
    return { member, port: guardPort, epochMs: sinceMs, sinceMs, untilMs: this.nowMs(), ...lost };
  }
}

/** What is in force; a test changes it as the cluster's watches would. */
export class SaidConfiguration implements Disposable {
  readonly set: ResourceSet;
  readonly configuration: FlipConfiguration;
  #sequence = 1;

  constructor(...manifests: readonly string[]) {
    this.set = new ResourceSet(1, { directory: [], applied: [], cluster: objectsOf(manifests) });
    this.configuration = new FlipConfiguration(this.set, "td");
  }

  put(...manifests: readonly string[]): void {
    this.#sequence++;
    const put = objectsOf(manifests);
    this.set.change({ layer: "cluster", put, remove: [] }, this.#sequence);
  }

  /** Of one of the server's own: what stands in the cluster goes before it. */
  putIn(layer: "directory" | "applied", ...manifests: readonly string[]): void {
    this.#sequence++;
    const put = objectsOf(manifests);
    this.set.change({ layer, put, remove: [] }, this.#sequence);
  }

  remove(key: string): void {
    this.#sequence++;
    this.set.change({ layer: "cluster", put: [], remove: [key] }, this.#sequence);
  }

  [Symbol.dispose](): void {
    this.configuration[Symbol.dispose]();
  }
}

function objectsOf(manifests: readonly string[]) {
  return parseManifests(manifests.join("---\n"), "cluster").objects.map(storedObject);
}

export interface PeerSpec {
  readonly mode?: string;
  readonly app?: string;
  readonly ports?: Readonly<Record<number, string>>;
}

export interface PeerObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: object;
}

/** As it is written. @param at NAMESPACE/NAME */
export function peerObject(at: string, { mode, app, ports }: PeerSpec): PeerObject {
  const [namespace = "", name = ""] = at.split("/");
  const byPort = Object.entries(ports ?? {}).map(([port, each]) => [port, { mode: each }]);
  return {
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { namespace, name },
    spec: {
      ...(mode !== undefined && { mtls: { mode } }),
      ...(app !== undefined && { selector: { matchLabels: { app } } }),
      ...(ports !== undefined && { portLevelMtls: Object.fromEntries(byPort) }),
    },
  };
}

/** With a proxy that does what its policy says. @param at NAMESPACE/NAME */
export function workloadManifest(
  at: string,
  app: string,
  address: string,
  ports: Readonly<Record<string, number>> = { http: guardPort },
): string {
  const [namespace = "", name = ""] = at.split("/");
  const labels = { app, "security.istio.io/tlsMode": "istio" };
  return `${JSON.stringify({
    apiVersion: "networking.istio.io/v1",
    kind: "WorkloadEntry",
    metadata: { namespace, name },
    spec: { address, labels, ports, serviceAccount: app },
  })}\n`;
}
