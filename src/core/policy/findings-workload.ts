/** WorkloadEntries whose identity, place or proxy is not what it seems. */

import { refWords } from "../resources/resource.ts";
import { takesMeshTls, type WorkloadEntry } from "../resources/workload-entry.ts";
import type { Finding } from "./finding.ts";
import { firstOf, warn, workloadNames } from "./findings-words.ts";
import type { MeshView } from "./mesh-view.ts";

export function workloadFindings(view: MeshView): readonly Finding[] {
  return [
    ...view.objects.workloads.flatMap((each) => [
      ...tlsModeFindings(each),
      ...portsOfNoService(view, each),
    ]),
    ...addressesTwice(view),
    ...withoutSidecar(view),
  ];
}

const tlsModeLabel = "security.istio.io/tlsMode";

function tlsModeFindings({ ref, labels, serviceAccount }: WorkloadEntry): readonly Finding[] {
  const mode = labels.get(tlsModeLabel);
  if (mode === undefined) return [];
  const path = `spec.labels."${tlsModeLabel}"`;
  if (mode === "istio" && serviceAccount === "") {
    const text =
      "mTLS is sent to it, and it has no serviceAccount: clients do not know whom to expect";
    return [warn("no-identity", ref, path, text, "write spec.serviceAccount")];
  }
  if (mode !== "istio" && serviceAccount !== "") {
    const text = `plaintext is sent to it, although it has a serviceAccount: its label says ${JSON.stringify(mode)}`;
    const hint = "take the label away if it has a proxy, else the serviceAccount";
    return [warn("tls-mode-disabled", ref, path, text, hint)];
  }
  return [];
}

function portsOfNoService(view: MeshView, workload: WorkloadEntry): readonly Finding[] {
  const services = view.servicesOf(workload);
  if (services.length === 0 || workload.ports.size === 0) return [];
  const names = new Set(services.flatMap(({ ports }) => ports.map(({ name }) => name)));
  return [...workload.ports.keys()]
    .filter((name) => !names.has(name))
    .map((name) => {
      const text = `no ServiceEntry that selects it has a port of the name ${name}`;
      const hint = `names of their ports: ${[...names].join(", ")}`;
      return warn("port-of-no-service", workload.ref, `spec.ports.${name}`, text, hint);
    });
}

/** A socket is one workload's: what is known of it would be said of both. */
function addressesTwice(view: MeshView): readonly Finding[] {
  const owners = new Map<string, WorkloadEntry>();
  return view.objects.workloads.flatMap((workload) => {
    const { ref, address } = workload;
    for (const port of view.portsOf(workload)) {
      const socket = `${address}:${port}`;
      const owner = owners.get(socket) ?? workload;
      owners.set(socket, owner);
      if (owner === workload || address === "") continue;
      const text = `${refWords(owner.ref)} has ${socket}, too: which of them answers cannot be told`;
      return [
        warn("address-twice", ref, "spec.address", text, "an address and port of its own for each"),
      ];
    }
    return [];
  });
}

/** Once for a namespace. */
function withoutSidecar(view: MeshView): readonly Finding[] {
  const bare = view.groups.filter(
    (group) => group.workloads.some(takesMeshTls) && view.sidecarOf(group) === undefined,
  );
  return Array.from(
    Map.groupBy(bare, ({ namespace }) => namespace),
    ([namespace, groups]) => {
      const [first] = groups.flatMap(({ workloads }) => workloads);
      const text = `no Sidecar is for ${firstOf(workloadNames(groups))}: Envoys there get no listeners`;
      const hint = `write a Sidecar without workloadSelector in ${namespace}, or in the root namespace for all`;
      const ref = first?.ref ?? { kind: "WorkloadEntry", namespace, name: "" };
      return warn("without-sidecar", ref, "", text, hint);
    },
  );
}
