/**
 * The name of a Kubernetes service account, as the `sub` claim of its tokens spells it. It is the
 * only part of a token that an identity is made from, so it has exactly one spelling here: four
 * parts, both names in the form that the Kubernetes API would have accepted. Peers that split it
 * without counting were crashed or confused by it.
 */

import { AuthnError, quoted } from "./authn-error.ts";

export interface ServiceAccount {
  readonly namespace: string;
  readonly name: string;
}

/** @throws AuthnError `token-subject` */
export function parseServiceAccountSubject(subject: string): ServiceAccount {
  if (!subject.startsWith(SUBJECT_PREFIX)) throw refused(subject, "the prefix is missing");
  const names = subject.slice(SUBJECT_PREFIX.length);
  const colon = names.indexOf(":");
  if (colon === -1) throw refused(subject, "the service account is missing");
  const namespace = names.slice(0, colon);
  const name = names.slice(colon + 1);
  if (!isDnsLabel(namespace)) throw refused(subject, "the namespace is not a DNS label");
  if (!isDnsSubdomain(name)) throw refused(subject, "the name is not a DNS subdomain");
  return Object.freeze({ namespace, name });
}

/** RFC 1123 label as the Kubernetes API defines it: lower case, at most 63 characters. */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && DNS_LABEL.test(text);
}

/**
 * RFC 1123 subdomain as the Kubernetes API defines it: at most 253 characters, with no limit of
 * their own for the labels in it.
 */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && DNS_SUBDOMAIN.test(text);
}

const SUBJECT_PREFIX = "system:serviceaccount:";
const DNS_LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

function refused(subject: string, reason: string): AuthnError {
  const got = `got ${quoted(subject)}: ${reason}`;
  return new AuthnError("token-subject", `expected system:serviceaccount:NAMESPACE:NAME, ${got}`);
}
