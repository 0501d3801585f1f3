/** `portcullis.admin.v1` GetPolicyStatus: what each proxy does, is to do, and waits for. */

import { create } from "@bufbuild/protobuf";
import { status, type handleServerStreamingCall } from "@grpc/grpc-js";
import { once } from "node:events";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  GetPolicyStatusResponseSchema,
  type GetPolicyStatusRequest,
  type GetPolicyStatusResponse,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import type { ProxyIdentity } from "../../../core/policy/proxy-identity.ts";
import type { PortColumns } from "../flips/port-columns.ts";
import type { PolicyControl } from "./policy-control.ts";
import { expectedStatus, proxyStatus } from "./proxy-status.ts";

export type PolicyStatusHandler = handleServerStreamingCall<
  GetPolicyStatusRequest,
  GetPolicyStatusResponse
>;

type StatusCall = Parameters<PolicyStatusHandler>[0];

/** Each has up to a few KiB. */
const proxiesPerMessage = 50;

/** @param sequence of the configuration @param columns what else is known of ports, when it is asked for */
export function policyStatusHandler(
  control: PolicyControl,
  sequence: () => number,
  columns: () => Promise<PortColumns | undefined> = () => Promise.resolve(undefined),
): PolicyStatusHandler {
  return (call) => {
    const sent = columns().then((found) => send(call, statusPages(control, sequence, found)));
    sent.catch((error: unknown) => {
      // Whoever hangs up has read enough.
      if (call.cancelled) return;
      const details = `the status could not be made: ${String(error)}`;
      call.emit("error", { code: status.INTERNAL, details });
    });
  };
}

function* statusPages(
  control: PolicyControl,
  sequence: () => number,
  columns: PortColumns | undefined,
): Generator<GetPolicyStatusResponse> {
  const progress = control.rollout.progress();
  const all = [...control.proxies.all(), ...untold(control)];
  const pages = Math.max(1, Math.ceil(all.length / proxiesPerMessage));
  for (let page = 0; page < pages; page++) {
    const some = all.slice(page * proxiesPerMessage, (page + 1) * proxiesPerMessage);
    const proxies = some.map((each) =>
      "key" in each
        ? expectedStatus(control, each, columns)
        : proxyStatus(control, each, progress.get(each.identity.key), columns),
    );
    yield create(GetPolicyStatusResponseSchema, { sequence: BigInt(sequence()), proxies });
  }
}

/** Whoever is told of has its line, also while another agent may have it, too; an earlier pod of its name is waited for, and has its own. */
function untold({ proxies, expected, gonePods }: PolicyControl): readonly ProxyIdentity[] {
  if (expected.size === 0) return [];
  const nameOf = ({ namespace, serviceAccount, nodeId }: ProxyIdentity): string =>
    `${namespace}/${serviceAccount}/${nodeId}`;
  const told = new Set(Array.from(proxies.all(), ({ identity }) => nameOf(identity)));
  return [...expected.values()].filter(
    (identity) => !told.has(nameOf(identity)) || gonePods.of(identity.key) !== undefined,
  );
}

/** Others have their turn after each page. */
async function send(call: StatusCall, pages: Iterable<GetPolicyStatusResponse>): Promise<void> {
  const cancelling = new AbortController();
  const { signal } = cancelling;
  call.once("cancelled", () => cancelling.abort());
  for (const page of pages) {
    if (!call.write(page)) await once(call, "drain", { signal });
    await nextTurn();
    signal.throwIfAborted();
  }
  call.end();
}
