/**
 * UTCTime and GeneralizedTime as RFC 5280 4.1.2.5 allows them in certificates: Zulu, with seconds,
 * without fractions, and each type only for the years that are its own, so that one instant has one
 * encoding.
 */

import { DerError } from "./der-error.ts";
import { TAG } from "./der-tag.ts";
import type { DerReader } from "./der.ts";

const GENERALIZED_TIME_YEAR_MIN = 2050;
const ZULU = 0x5a;

/**
 * @returns Unix milliseconds
 * @throws DerError
 */
export function readTime(reader: DerReader): number {
  const isUtcTime = reader.nextIs(TAG.utcTime);
  const text = reader.readContents(isUtcTime ? TAG.utcTime : TAG.generalizedTime);
  const monthAt = isUtcTime ? 2 : 4;
  if (text.length !== monthAt + 11 || text[monthAt + 10] !== ZULU) throw timeInvalid();
  const year = isUtcTime
    ? utcTimeYear(twoDigits(text, 0))
    : twoDigits(text, 0) * 100 + twoDigits(text, 2);
  if (!isUtcTime && year < GENERALIZED_TIME_YEAR_MIN) throw timeInvalid();
  const month = twoDigits(text, monthAt);
  const day = twoDigits(text, monthAt + 2);
  const hour = twoDigits(text, monthAt + 4);
  const minute = twoDigits(text, monthAt + 6);
  const second = twoDigits(text, monthAt + 8);
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) {
    throw timeInvalid();
  }
  // Day 0 of the next month is the last of this one; Date.UTC would carry a later day over.
  if (Date.UTC(year, month - 1, day) > Date.UTC(year, month, 0)) throw timeInvalid();
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** RFC 5280 4.1.2.5.1. */
function utcTimeYear(twoDigitYear: number): number {
  return twoDigitYear >= 50 ? 1900 + twoDigitYear : 2000 + twoDigitYear;
}

function twoDigits(text: Uint8Array, at: number): number {
  const tens = (text[at] ?? 0) - 0x30;
  const ones = (text[at + 1] ?? 0) - 0x30;
  if (tens < 0 || tens > 9 || ones < 0 || ones > 9) throw timeInvalid();
  return tens * 10 + ones;
}

function timeInvalid(): DerError {
  return new DerError(
    "der-time-invalid",
    "expected YYMMDDHHMMSSZ through 2049 or YYYYMMDDHHMMSSZ from 2050 on (RFC 5280 4.1.2.5)",
  );
}
