def endpoint(_event: object, _context: object) -> dict[str, int]:
    return {"statusCode": 200}


def enrich(event: object, _context: object) -> object:
    return event
