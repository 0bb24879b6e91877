"""Events to webhook endpoints: fan-out, places, tries, and what an endpoint's owner sees."""
