/** `portcullis.admin.v1` GetRootStatus: where a rotation stands, what may be done next, and what may not, and why. */

import { hash, X509Certificate } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { authorityEndsAtMs } from "../../../core/trust/authority-end.ts";
import type { RotationCommand } from "../../../core/trust/rotation.ts";
import {
  unconfirmedRetired,
  type AuthorityRecord,
  type RetiredAuthority,
} from "../../../core/trust/trust-state.ts";
import { parseCertificate } from "../../../core/x509/certificate.ts";
import { parsePublicKey } from "../../../core/x509/public-key.ts";
import type { ServerConfig } from "../../../edge/config/server-config.ts";
import { RootStatusSchema, type RootStatus } from "../../../gen/portcullis/admin/v1/admin_pb.ts";
import { evidenceMessage, holdersMessage, openingOf, waiverMessage } from "./root-messages.ts";
import type { Rotation } from "./rotation.ts";
import type { RotationView } from "./rotation-view.ts";
import type { Trust } from "../trust.ts";
import type { Waivers } from "./waivers.ts";

export interface RootStatusDependencies {
  readonly trust: () => Trust;
  readonly rotation: Pick<Rotation, "decide">;
  readonly view: RotationView;
  readonly waivers: Pick<Waivers, "current">;
  /** What the server does by itself; "" for nothing. */
  readonly automatic: () => string;
  readonly config: () => ServerConfig;
  readonly nowMs: () => number;
}

export function rootStatus(dependencies: RootStatusDependencies, namedMax: number): RootStatus {
  const { view, waivers, automatic, config, nowMs } = dependencies;
  const trust = dependencies.trust();
  const { state, bundle } = trust;
  const now = nowMs();
  const { left, perSecond } = view.reissue();
  return create(RootStatusSchema, {
    now: timestampFromMs(now),
    trustDomain: state.trustDomain.name,
    epoch: BigInt(state.epoch),
    bundleSequence: bundle.sequence,
    authorities: [
      ...state.authorities.map((each) => authorityMessage(each, trust, now)),
      ...unconfirmedRetired(state).map(retiredMessage),
    ],
    steps: steps(dependencies),
    verifiers: evidenceMessage(view.verifiers(namedMax)),
    holders: state.authorities.map((each) => holdersMessage(each.id, view.holders(each, namedMax))),
    reissue: { left: BigInt(left), perSecond },
    waivers: waivers.current.map(waiverMessage),
    maxTtlSeconds: BigInt(config().maxTtlSeconds),
    skewMs: BigInt(Math.ceil(view.skewMs())),
    automatic: automatic(),
  });
}

function authorityMessage(authority: AuthorityRecord, trust: Trust, nowMs: number) {
  const { id, state, sinceMs, chain, root, signerIds } = authority;
  const { spki } = parseCertificate(chain[0] ?? root);
  const { notBeforeMs, notAfterMs } = parseCertificate(root);
  const { type, bits } = parsePublicKey(spki);
  const left = (100 * (notAfterMs - nowMs)) / (notAfterMs - notBeforeMs);
  return {
    id,
    state,
    since: timestampFromMs(sinceMs),
    keyType: type === "rsa" ? `rsa-${bits}` : type,
    keyLocation: keyLocation(authority, trust),
    rootSubject: new X509Certificate(root).subject.replaceAll("\n", ", "),
    rootSha256: hash("sha256", root, "hex"),
    notBefore: timestampFromMs(notBeforeMs),
    notAfter: timestampFromMs(authorityEndsAtMs(authority)),
    lifeLeftPercent: Math.min(100, Math.max(0, Math.ceil(left))),
    compromised: false,
    signingKeys: [...signerIds],
  };
}

/** "files" or "pkcs11" where the key is the operator's. */
export function keyLocation(
  { id, key }: AuthorityRecord,
  { plugged, authorityParts }: Pick<Trust, "plugged" | "authorityParts">,
): "store" | "files" | "pkcs11" {
  if (key === "store") return "store";
  const source = plugged?.authority.id === id ? plugged.source : authorityParts.source;
  return source.kind === "pkcs11" ? "pkcs11" : "files";
}

function retiredMessage({ id, rootSha256, atMs, compromised, signerIds }: RetiredAuthority) {
  const gone = { id, state: "retired", since: timestampFromMs(atMs), rootSha256, compromised };
  return { ...gone, signingKeys: [...signerIds] };
}

/** Any of no authority: whether one may be prepared does not depend on which. */
const anybody = {
  id: "00",
  chain: [],
  root: Uint8Array.of(0),
  key: "store",
  signerIds: ["00"],
  auto: false,
} as const;

const commands: readonly RotationCommand[] = [
  { kind: "prepare", authority: anybody },
  { kind: "activate" },
  { kind: "rollback" },
  { kind: "retire" },
  { kind: "abort" },
];

function steps({ rotation }: RootStatusDependencies) {
  return commands.map((command) => {
    const decision = rotation.decide(command, 1);
    if (decision.kind === "done") return { command: command.kind, isAllowed: true };
    const { code, message, hint, gate } = decision.refusal;
    const opensAt = openingOf(gate);
    return {
      command: command.kind,
      isAllowed: false,
      reason: code,
      detail: message,
      hint,
      ...(opensAt && { opensAt }),
    };
  });
}
