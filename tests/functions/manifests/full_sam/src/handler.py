def run(event: object, _context: object) -> object:
    return event
