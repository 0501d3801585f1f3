/** What would go wrong at the endpoints of a service if they were sent what a DestinationRule says. */

import type { ClientTls } from "../resources/client-tls.ts";
import type { Labels } from "../resources/resource.ts";
import type { ServiceEntry, ServicePort } from "../resources/service-entry.ts";
import type { Sent } from "./client-decision.ts";
import { isBroken, verdictOf, type DecidedSides, type VerdictReason } from "./explain-verdict.ts";
import { selects } from "./labels.ts";
import type { MeshView } from "./mesh-view.ts";
import { serverMode } from "./server-mode.ts";
import { endpointPort } from "./services.ts";

interface EndpointFact extends Omit<DecidedSides, "sent"> {
  /** For people: of its entry, else its address; with the port. */
  readonly name: string;
}

/** By problem, the names of those that have it. */
type EndpointProblems = ReadonlyMap<VerdictReason, readonly string[]>;

export class EndpointFacts {
  readonly #view: MeshView;
  readonly #facts = new Map<ServicePort, readonly EndpointFact[]>();
  readonly #problems = new Map<string, EndpointProblems>();

  constructor(view: MeshView) {
    this.#view = view;
  }

  /** @param subset empty for all of them */
  problems(
    service: ServiceEntry,
    port: ServicePort,
    tls: ClientTls,
    subset: Labels,
  ): EndpointProblems {
    // Rules for many hosts ask the same of the same again; the others are rare enough.
    if (subset.size > 0 || tls.subjectAltNames.length > 0) {
      return this.#find(service, port, tls, subset);
    }
    const { namespace, name } = service.ref;
    const key = `${namespace}/${name}/${port.number}/${tls.mode}`;
    const problems = this.#problems.get(key) ?? this.#find(service, port, tls, subset);
    this.#problems.set(key, problems);
    return problems;
  }

  #find(
    service: ServiceEntry,
    port: ServicePort,
    tls: ClientTls,
    subset: Labels,
  ): EndpointProblems {
    const found = new Map<VerdictReason, string[]>();
    const sent = sentBy(tls);
    for (const { name, endpoint, server } of this.#of(service, port)) {
      if (!selects(subset, endpoint.endpoint.labels)) continue;
      const { trustDomain } = this.#view.mesh;
      const { verdict, why } = verdictOf({ sent, endpoint, server }, port, trustDomain);
      if (!isBroken(verdict)) continue;
      const names = found.get(why) ?? [];
      names.push(name);
      found.set(why, names);
    }
    return found;
  }

  #of(service: ServiceEntry, port: ServicePort): readonly EndpointFact[] {
    const known = this.#facts.get(port);
    if (known !== undefined) return known;
    const { peers } = this.#view.mesh;
    const facts = this.#view.endpointsOf(service).map((each): EndpointFact => {
      const { namespace, ref, endpoint } = each;
      const { labels, address } = endpoint;
      const at = endpointPort(endpoint, port);
      const server = service.isInternal ? serverMode(peers, { namespace, labels }, at) : undefined;
      const name = ref === undefined ? address : `${namespace}/${ref.name}`;
      return { name: `${name}:${at}`, endpoint: each, server };
    });
    this.#facts.set(port, facts);
    return facts;
  }
}

/** Whose names it expects if none are written is the endpoints' own. */
function sentBy(tls: ClientTls): Sent {
  if (tls.mode === "DISABLE") return { kind: "plaintext" };
  if (tls.mode !== "ISTIO_MUTUAL") return { kind: "origination", tls };
  return { kind: "mtls", sni: "", sans: tls.subjectAltNames };
}
