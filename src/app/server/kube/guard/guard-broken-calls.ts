/** Whose calls the configuration itself would break by a change, as it is told to send plaintext where that would be refused. */

import type { BrokenCall } from "../../../../core/evidence/callers.ts";
import { brokenCalls, meshClients, type MeshClients } from "../../../../core/flip/broken-calls.ts";
import type { PeerChange, StricterPart } from "../../../../core/kube/guard/stricter-ports.ts";
import type { MeshView } from "../../../../core/policy/mesh-view.ts";
import type { PeerAuthentication } from "../../../../core/resources/peer-authentication.ts";
import type { ResourceRef } from "../../../../core/resources/resource.ts";
import type { FlipConfiguration } from "../../flips/flip-configuration.ts";

/** Of the same selector once, and all that is the same for all of them once, too: in a large mesh each takes a tenth of a second. */
export function brokenCallsOf(
  configuration: Pick<FlipConfiguration, "wholeWith">,
  { name, before, after }: PeerChange,
): (part: StricterPart) => readonly BrokenCall[] {
  const ref: ResourceRef = { kind: "PeerAuthentication", ...name };
  const policy = after ?? withoutWord(ref);
  const known = new Map<string, readonly BrokenCall[]>();
  let asked: { readonly view: MeshView; readonly clients: MeshClients } | undefined;
  const found = (): NonNullable<typeof asked> => {
    const object = before && ({ kind: "PeerAuthentication", object: before } as const);
    const view = configuration.wholeWith(ref, object);
    return { view, clients: meshClients(view) };
  };
  return ({ target }) => {
    const { view, clients } = (asked ??= found());
    const key = JSON.stringify([target.namespace, target.selector]);
    const calls = known.get(key) ?? brokenCalls(view, policy, target, clients);
    known.set(key, calls);
    return calls;
  };
}

/** As good as none: it selects nobody, since no label has an empty name. */
function withoutWord(ref: ResourceRef): PeerAuthentication {
  const selector = new Map([["", ""]]);
  return { ref, createdMs: undefined, selector, mode: "UNSET", ports: new Map() };
}
