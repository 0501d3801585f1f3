/** `mtls permissive`: what it would change is asked for first, and where that turns strict off, somebody has to say yes to it. */

import { makePermissive } from "../../edge/rpc/flip-client.ts";
import type { PermissiveRequest } from "../../edge/rpc/flip-requests.ts";
import type { MakePermissiveResponse } from "../../gen/portcullis/admin/v1/admin_pb.ts";
import { ExitCode, type Context } from "./command.ts";
import { confirm } from "./confirm.ts";
import { changeText, objectChange } from "./mtls-change.ts";
import type { RefuseMtls } from "./mtls-refused.ts";
import { asUsage } from "./operator.ts";
import { commandOf, hinted, type ServerTarget } from "./server-target.ts";

export interface PermissiveOrder {
  readonly server: ServerTarget;
  readonly request: PermissiveRequest;
  /** Not to be asked. */
  readonly yes: boolean;
  readonly refuse: RefuseMtls;
  /** As they were given, for a command that is printed. */
  readonly words: readonly string[];
}

/** @returns the server's answer, or how it ended without one. @throws UsageError, AdminClientError, CommandRefusedError */
export async function orderPermissive(
  context: Context,
  order: PermissiveOrder,
): Promise<MakePermissiveResponse | ExitCode> {
  const { server, request, yes } = order;
  const send = async (dryRun: boolean) => {
    const sent = makePermissive(server.address, { ...request, dryRun });
    return await hinted(server, asUsage("mtls permissive", sent));
  };
  if (request.dryRun || yes) return await send(request.dryRun);
  const dry = await send(true);
  if (dry.result.case !== "action") return dry;
  if (!dry.endsStrict) return await send(false);
  const meant = await ask(context, order, dry);
  return meant === ExitCode.ok ? await send(false) : meant;
}

async function ask(
  context: Context,
  { server, request: { target }, words, refuse }: PermissiveOrder,
  dry: MakePermissiveResponse,
): Promise<ExitCode> {
  const change = objectChange(dry);
  if (change !== undefined) context.stderr.write(changeText(change, "would-be"));
  const command = commandOf(server, "mtls permissive", [target, ...words, "--yes"]);
  const next = [{ command, why: "look at the change; if it is meant" }];
  return await confirm(context, {
    text: `${target} refuses plaintext now. Let it take plaintext? Type yes: `,
    wanted: "yes",
    nothing: "nothing was changed",
    refuse: (code, message) => refuse({ code, message, next, verdict: null }),
  });
}
