"""Mutation of the model and of its properties: what would the checks not notice?"""
