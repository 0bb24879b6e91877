// Numbers as people write them, and as phones dial them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { COUNTRIES, countryOf, digitsToDial, formatNumber, toE164 } from "../../../dashboard/api/phone.js";

const WRITTEN = [
  ["06 12 34 56 78", "FR", "+33612345678"],
  ["+33 6 12 34 56 78", "US", "+33612345678"],
  ["+33 (0)6 12 34 56 78", "FR", "+33612345678"],
  ["0033612345678", "FR", "+33612345678"],
  ["(555) 550-0103", "US", "+15555500103"],
  ["1 555 550 0103", "US", "+15555500103"],
  ["011 33 6 12 34 56 78", "US", "+33612345678"],
  ["0171/1234567", "DE", "+491711234567"],
  ["06 1234 5678", "IT", "+390612345678"], // the zero belongs to the number there
  ["612 345 678", "ES", "+34612345678"],
];

for (const [text, country, e164] of WRITTEN) {
  test(`${text} in ${country} is ${e164}`, () => assert.equal(toE164(text, country), e164));
}

test("what is no number is none", () => {
  for (const text of ["", "12", "hello", "+0123456789", "+1234567890123456", "06 12 x"])
    assert.equal(toE164(text, "FR"), null, text);
  assert.equal(toE164("0612345678", "XX"), null);
});

test("a number is dialled at home with the trunk prefix, from abroad with the international one", () => {
  assert.equal(digitsToDial("+33612345678", "FR"), "0612345678");
  assert.equal(digitsToDial("+15555500103", "GB"), "0015555500103");
  assert.equal(digitsToDial("+15555500103", "US"), "15555500103");
  assert.equal(digitsToDial("+33612345678", "US"), "01133612345678");
});

test("what is dialled from a country is the number again", () => {
  for (const country of COUNTRIES) {
    for (const e164 of ["+33612345678", "+15555500103", "+493012345678"])
      assert.equal(toE164(digitsToDial(e164, country), country), e164, country);
  }
});

test("the longest calling code counts", () => {
  assert.equal(countryOf("+35312345678"), "IE");
  assert.equal(countryOf("+33612345678"), "FR");
  assert.equal(countryOf("+99912345678"), null);
});

test("numbers are shown in groups, other text as it is, and no digit is lost", () => {
  assert.equal(formatNumber("+15555500103"), "+1\u00a0555\u00a0550\u00a00103");
  assert.equal(formatNumber("+33612345678"), "+33\u00a06\u00a012\u00a034\u00a056\u00a078");
  assert.equal(formatNumber("sip:ada@example.org"), "sip:ada@example.org");
  for (const e164 of ["+4915112345678", "+9991234567", "+35226123456", "+85212345678"])
    assert.equal(formatNumber(e164).replaceAll("\u00a0", ""), e164);
});
