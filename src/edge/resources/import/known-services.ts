/** What is known of services that a policy of Istio 1.0 names: Kubernetes' Services, and ServiceEntries that select workloads. */

import type { ServiceEntry } from "../../../core/resources/service-entry.ts";
import { isJsonMap, type Json, type JsonMap } from "../manifest.ts";

export interface KnownPort {
  readonly number: number;
  readonly name: string;
  /** Undefined: a name that each pod has its own number for. */
  readonly targetPort: number | undefined;
}

export interface KnownService {
  readonly selector: ReadonlyMap<string, string>;
  readonly ports: readonly KnownPort[];
}

export class KnownServices {
  readonly #services = new Map<string, KnownService>();

  find(namespace: string, name: string): KnownService | undefined {
    return this.#services.get(`${namespace}/${name}`);
  }

  /** `v1 Service`; one without a selector explains nothing. */
  addService({ metadata, spec }: JsonMap): void {
    const { name, namespace = "default" } = mapOf(metadata);
    const { selector, ports } = mapOf(spec);
    const labels = textsOf(mapOf(selector));
    if (typeof name !== "string" || typeof namespace !== "string" || labels.size === 0) return;
    const all = Array.isArray(ports) ? ports.map(mapOf) : [];
    this.#services.set(`${namespace}/${name}`, { selector: labels, ports: all.flatMap(portOf) });
  }

  addEntry({ ref: { namespace, name }, hosts, workloadSelector, ports }: ServiceEntry): void {
    if (workloadSelector.size === 0) return;
    const service = {
      selector: workloadSelector,
      ports: ports.map((port) => ({ ...port, targetPort: port.targetPort ?? port.number })),
    };
    const ending = `.${namespace}.svc.cluster.local`;
    const ofHosts = hosts.map((host) =>
      host.endsWith(ending) ? host.slice(0, -ending.length) : host,
    );
    for (const each of [name, ...ofHosts]) {
      const key = `${namespace}/${each}`;
      if (!this.#services.has(key)) this.#services.set(key, service);
    }
  }
}

function portOf({ port, name = "", targetPort = port }: JsonMap): readonly KnownPort[] {
  if (typeof port !== "number") return [];
  const target = targetPort === 0 ? port : targetPort;
  return [
    {
      number: port,
      name: typeof name === "string" ? name : "",
      targetPort: typeof target === "number" ? target : undefined,
    },
  ];
}

function mapOf(value: Json | undefined): JsonMap {
  return isJsonMap(value) ? value : {};
}

function textsOf(map: JsonMap): ReadonlyMap<string, string> {
  const pairs = Object.entries(map);
  return new Map(
    pairs.flatMap(([key, value]) => (typeof value === "string" ? [[key, value]] : [])),
  );
}
