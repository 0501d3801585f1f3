/** Whose tokens are let in: their issuer and keys as the API server publishes them, and audiences that must not be one another's. */

import { critical, orOk, warning, type Said } from "./finding.ts";

export interface AudienceFacts {
  /** Each `iss` that the server goes by, as the API server said when it was asked last; undefined where that is not known. */
  readonly issuers: readonly string[] | undefined;
  /** As the API server says now. */
  readonly published: string;
  /** How many keys it publishes for tokens. */
  readonly keys: number;
  /** Of workloads. */
  readonly audiences: readonly string[];
  /** Of operators. */
  readonly adminAudience: string;
}

export function checkAudiences(facts: AudienceFacts): readonly Said[] {
  const { published, keys, audiences, adminAudience } = facts;
  const issuers = facts.issuers ?? [published];
  const found: Said[] = [];
  if (!issuers.includes(published)) {
    const finding = `tokens of ${issuers.join(", ")} are believed, and the API server issues them as ${published}`;
    const hint =
      "it is read again with the first such token, and every 5 minutes; else see jwks-failed in the server's log";
    found.push(warning(finding, hint));
  }
  if (keys === 0) {
    found.push(
      critical("the API server publishes no key for tokens", "kubectl get --raw /openid/v1/jwks"),
    );
  }
  if (audiences.length === 0) {
    found.push(critical("no audience is taken: no token is let in", "give --audience istio-ca"));
  }
  if (audiences.includes(adminAudience)) {
    const finding = `${adminAudience} is the audience of operators and of workloads`;
    found.push(
      critical(finding, "give another --admin-audience: a workload's token is an operator's"),
    );
  }
  const own = new Set([published, ...issuers]);
  if (own.has(adminAudience)) {
    const finding = `${adminAudience} is the audience of operators and, by default, of the API server itself`;
    const hint = "give another --admin-audience: the token that each pod has is an operator's";
    found.push(critical(finding, hint));
  }
  const shared = audiences.find((each) => own.has(each));
  if (shared !== undefined) {
    const finding = `${shared} is the API server's own audience by default: a workload's token is good there, too`;
    found.push(
      warning(finding, "ask workloads for tokens with an audience of their own, such as istio-ca"),
    );
  }
  const former = issuers.filter((each) => each !== published);
  const and = former.length === 0 ? "" : `, and of before ${former.join(", ")},`;
  return orOk(found, `tokens of ${published}${and} for ${audiences.join(", ")}`);
}
