/** `portcullis.admin.v1` ChangeRoot: from a request to an order for the rotation, and from what came of it to the answer. */

import type { MessageInitShape } from "@bufbuild/protobuf";
import { PortcullisError } from "../../../core/error.ts";
import { LogError } from "../../../core/log/log-error.ts";
import type { RotationCommand } from "../../../core/trust/rotation.ts";
import { StoreError, type Store } from "../../../edge/store/store.ts";
import type { Logger } from "../../../edge/telemetry/logger.ts";
import type {
  ChangeRootRequest,
  ChangeRootResponseSchema,
} from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { makeOfflineKey, takeOfflineKey } from "./offline-keys.ts";
import { refusalMessage } from "./root-messages.ts";
import { parseOrder, type ParsedOrder } from "./root-order.ts";
import type { RootSource } from "./root-request.ts";
import type { RotationEvents } from "./rotation-events.ts";
import { linesOf, nextAfter } from "./rotation-text.ts";
import type { Rotation, RotationDependencies, RotationOrder } from "./rotation.ts";
import type { Trust } from "../trust.ts";

export interface RootCommandDependencies extends Pick<RotationDependencies, "config" | "nowMs"> {
  readonly trust: () => Trust;
  readonly rotation: Pick<Rotation, "order" | "foresee" | "decide">;
  readonly events: RotationEvents;
  readonly store: Store;
  readonly log: Logger;
}

type Result = NonNullable<MessageInitShape<typeof ChangeRootResponseSchema>["result"]>;

/** @throws LogError, and what the store throws: nothing is in force then that was not before */
export async function changeRoot(
  dependencies: RootCommandDependencies,
  request: ChangeRootRequest,
): Promise<Result> {
  const { rotation, trust, log } = dependencies;
  const { operator, dryRun } = request;
  const subject = `root ${request.command.case ?? ""}`;
  let order: RotationOrder & Pick<ParsedOrder, "madeId">;
  try {
    const parsed = await parseOrder(dependencies, request);
    if (!("command" in parsed)) return await requestOffline(dependencies, request, parsed);
    order = { ...parsed, operator, subject };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return await refuse(dependencies, request, subject, error);
  }
  const before = trust().state;
  const decision = await (dryRun ? rotation.foresee(order) : rotation.order(order));
  if (decision.kind === "refused") {
    return { case: "refused", value: refusalMessage(decision.refusal) };
  }
  if (!dryRun) {
    log.warn({ event: "root-changed", subject, operator, detail: order.detail }, "roots changed");
    tidy(dependencies, order.command);
  }
  const { reissuePerSecond } = dependencies.config();
  // What a dry run has made is thrown away, and the next one makes another.
  const made = dryRun ? order.madeId : undefined;
  const nameOf = (id: string): string => (id === made ? "the new authority" : id);
  const lines = [...linesOf(before, decision, reissuePerSecond, nameOf)];
  const isOpen = (kind: "activate" | "retire" | "abort"): boolean =>
    !dryRun && rotation.decide({ kind }, 1).kind === "done";
  const next = nextAfter(order.command, isOpen, () => unobservedOf(rotation));
  return { case: "done", value: { lines, next, epoch: BigInt(decision.state.epoch) } };
}

/** Classes of readers that the end waits for until somebody answers for them. */
function unobservedOf(rotation: Pick<Rotation, "decide">): readonly string[] {
  const decision = rotation.decide({ kind: "confirm" });
  const { gate } = decision.kind === "refused" ? decision.refusal : {};
  const found = gate?.laggards.filter(({ reason }) => reason === "unobservable") ?? [];
  return found.map(({ name }) => name);
}

/** What is done stays done. */
function tidy({ store, log }: RootCommandDependencies, command: RotationCommand): void {
  try {
    if (command.kind === "prepare") takeOfflineKey(store, command.authority);
    if (command.kind === "compromise" && command.replacement !== undefined) {
      takeOfflineKey(store, command.replacement);
    }
  } catch (error) {
    log.error({ event: "command-failed", error }, "a key is on the list of those that wait");
  }
}

/** No step of a rotation yet: a key, and a request for its certificate. */
async function requestOffline(
  { store, events, trust, nowMs }: RootCommandDependencies,
  { operator, dryRun }: ChangeRootRequest,
  { keyType }: Extract<RootSource, { kind: "offline" }>,
): Promise<Result> {
  const { state } = trust();
  const next = "portcullis root prepare --from-dir DIR";
  const value = { next, epoch: BigInt(state.epoch) };
  const lines = [`a ${keyType} key is made and kept, for an offline root to sign its certificate`];
  if (dryRun) return { case: "done", value: { ...value, lines } };
  const detail = `csr for an offline root, ${keyType}`;
  await events.ordered({ operator, subject: "root prepare", detail });
  const { csr } = makeOfflineKey(store, state, keyType, nowMs());
  return { case: "done", value: { ...value, lines, csr } };
}

async function refuse(
  { events }: RootCommandDependencies,
  { operator, dryRun }: ChangeRootRequest,
  subject: string,
  { code, message, hint = "" }: PortcullisError,
): Promise<Result> {
  if (!dryRun) await events.refused({ operator, subject, detail: "" }, { code, message });
  return { case: "refused", value: { code, message, hint } };
}

/** What is wrong with the request, or with the files that it names. */
function isRefusal(error: unknown): error is PortcullisError {
  const isOurs = error instanceof LogError || error instanceof StoreError;
  return error instanceof PortcullisError && !isOurs;
}
