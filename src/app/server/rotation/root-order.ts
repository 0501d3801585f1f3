/** From a request of `portcullis.admin.v1` to what the rotation is told: with an authority where the command brings one. */

import { printable } from "../../../core/identity/authn-error.ts";
import { activeAuthority } from "../../../core/trust/trust-state.ts";
import type { ChangeRootRequest } from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { isSource, parseSource, RootRequestError, type RootSource } from "./root-request.ts";
import { makeAuthority } from "./rotation-authorities.ts";
import type { RotationDependencies, RotationOrder } from "./rotation.ts";
import { isOwnAuthority } from "../new-trust.ts";
import type { Trust } from "../trust.ts";

export interface ParsedOrder extends Pick<RotationOrder, "command" | "keys" | "detail"> {
  /** Of an authority that was made for this request. */
  readonly madeId?: string;
}

interface OrderDependencies extends Pick<RotationDependencies, "store" | "config" | "nowMs"> {
  readonly trust: () => Pick<Trust, "state">;
}

/** @throws RootRequestError, AuthorityError, and what is wrong with the files */
export async function parseOrder(
  { store, config, nowMs, trust }: OrderDependencies,
  { command }: ChangeRootRequest,
): Promise<ParsedOrder | Extract<RootSource, { kind: "offline" }>> {
  const make = async (source: Exclude<RootSource, { kind: "offline" }>) =>
    await makeAuthority(source, store, config(), nowMs());
  if (command.case === undefined) throw noCommand("a command");
  if (command.case === "prepare") {
    const source = parseSource(command.value, config().rootKeyType);
    if (source.kind === "offline") return source;
    const { authority, keys } = await make(source);
    const made = source.kind === "own" && { madeId: authority.id };
    return { command: { kind: "prepare", authority }, keys, detail: authority.id, ...made };
  }
  if (command.case === "adopt") {
    const { from, files } = command.value;
    const contents = new Map(files.map(({ name, content }) => [name, content]));
    const sent = { from: printable(from, 200), files: contents };
    const { authority, keys } = await make({ kind: "files", sent });
    const detail = `${authority.id} of ${sent.from}`;
    // Whoever had it has signed with it, and perhaps does still.
    const adopted = { ...authority, adopted: true } as const;
    return { command: { kind: "prepare", authority: adopted }, keys, detail };
  }
  if (command.case !== "compromise") return { command: { kind: command.case }, detail: "" };
  const { authorityId, replacement } = command.value;
  const leaked = { kind: "compromise", authorityId } as const;
  // A root of ours follows one of ours, and an operator's CA only where it is asked for.
  const mayFollow = isOwnAuthority(activeAuthority(trust().state)) || isSource(replacement);
  if (replacement === undefined || !mayFollow) return { command: leaked, detail: authorityId };
  const source = parseSource(replacement, config().rootKeyType);
  if (source.kind === "offline") throw noCommand("a replacement that can sign at once");
  const { authority, keys } = await make(source);
  const made = source.kind === "own" && { madeId: authority.id };
  return { command: { ...leaked, replacement: authority }, keys, detail: authorityId, ...made };
}

function noCommand(expected: string): RootRequestError {
  return new RootRequestError("root-command", `expected ${expected}`);
}
