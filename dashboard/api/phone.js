// Telephone numbers: from the way people write them to E.164, and to the digits that are dialled from a
// country. A help while typing; the server decides whether a number is valid.

/** Calling code of each country, and its trunk prefix, which is dialled before a national number. */
const PLANS = {
  US: ["1", "1"],
  CA: ["1", "1"],
  FR: ["33", "0"],
  GB: ["44", "0"],
  DE: ["49", "0"],
  AT: ["43", "0"],
  CH: ["41", "0"],
  BE: ["32", "0"],
  NL: ["31", "0"],
  IE: ["353", "0"],
  SE: ["46", "0"],
  FI: ["358", "0"],
  AU: ["61", "0"],
  NZ: ["64", "0"],
  JP: ["81", "0"],
  IN: ["91", "0"],
  BR: ["55", "0"],
  ZA: ["27", "0"],
  ES: ["34", ""],
  IT: ["39", ""],
  PT: ["351", ""],
  LU: ["352", ""],
  PL: ["48", ""],
  DK: ["45", ""],
  NO: ["47", ""],
  CZ: ["420", ""],
  SG: ["65", ""],
  HK: ["852", ""],
  MX: ["52", ""],
};
/** International prefix, where it is not 00. */
const INTERNATIONAL = { US: "011", CA: "011", AU: "0011", JP: "010", BR: "0021", SG: "001", HK: "001" };

/** The countries whose numbering is known here, ISO 3166. */
export const COUNTRIES = Object.keys(PLANS);

/** Return the name of a country, `France` of `FR`; an unknown code stays as it is. */
export function countryName(code) {
  try {
    return new Intl.DisplayNames("en", { type: "region" }).of(code);
  } catch {
    return code;
  }
}

/** Return the country whose calling code an E.164 number begins with; `US` for all of +1. */
export function countryOf(e164) {
  const digits = e164.slice(1);
  const found = COUNTRIES.filter((code) => digits.startsWith(PLANS[code][0]));
  return found.sort((a, b) => PLANS[b][0].length - PLANS[a][0].length)[0] ?? null;
}

/**
 * Convert a written number to E.164: `06 12 34 56 78` and FR to `+33612345678`; null if it is none.
 * @param {string} text as somebody wrote it @param {string} country ISO 3166, for national forms
 */
export function toE164(text, country) {
  const digits = text.replace(/\(0\)/, "").replace(/[\s().\/-]/g, "");
  if (!/^\+?\d+$/.test(digits)) return null;
  const [code, trunk] = PLANS[country] ?? ["", ""];
  const international = INTERNATIONAL[country] ?? "00";
  let e164;
  if (digits.startsWith("+")) e164 = digits;
  else if (digits.startsWith(international)) e164 = `+${digits.slice(international.length)}`;
  else if (digits.startsWith("00")) e164 = `+${digits.slice(2)}`;
  else if (!code) return null;
  // In North America the trunk prefix is the calling code: what has ten digits lacks both.
  else if (trunk && digits.startsWith(trunk) && (code !== "1" || digits.length === 11))
    e164 = `+${code}${digits.slice(trunk.length)}`;
  else e164 = `+${code}${digits}`;
  return /^\+[1-9]\d{6,14}$/.test(e164) ? e164 : null;
}

/** Return the digits that dial `+33612345678` from a fixed line in `country`: `0612345678`, `0033…`, `011…`. */
export function digitsToDial(e164, country) {
  const [code, trunk] = PLANS[country];
  if (e164.startsWith(`+${code}`)) return trunk + e164.slice(1 + code.length);
  return (INTERNATIONAL[country] ?? "00") + e164.slice(1);
}

const NO_BREAK_SPACE = "\u00a0"; // a number is not broken over two lines

/** Write an E.164 number in groups, to be read; other text (a SIP URI, a name) stays as it is. */
export function formatNumber(text) {
  if (!/^\+\d{7,15}$/.test(text)) return text;
  const country = countryOf(text);
  const code = country ? PLANS[country][0] : "";
  const parts = [code, ...groups(code, text.slice(1 + code.length))];
  return `+${parts.filter(Boolean).join(NO_BREAK_SPACE)}`;
}

/** Group the digits after the country code as that country does. */
function groups(code, rest) {
  if (code === "1" && rest.length === 10) return [rest.slice(0, 3), rest.slice(3, 6), rest.slice(6)];
  if (code === "33" && rest.length === 9) return [rest[0], ...rest.slice(1).match(/../g)];
  return rest.match(/.{1,3}(?!.$)|.{2}/g) ?? [rest];
}
