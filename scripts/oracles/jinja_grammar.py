class Grammar:
    def __init__(self, r): pass
